"""Section 4.2: kubelet's settings. A profile of hosts in the declaration sets any of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from live.hardening import judges
from live.hardening.facts import KUBELET, HostFacts
from live.hardening.judges import STRONG_CIPHERS, Judge, flags, setting
from live.hardening.mends import declared
from live.hardening.model import Decider, Point, Scope, State, Verdict, either, fails, few, holds, unknown

_EVENTS = 50
"""Events in a second that kubelet reports by default (its `v1beta1` defaults)."""
_GATE = "RotateKubeletServerCertificate"
SETTINGS = (
    "authentication",
    "authorization",
    "eventRecordQPS",
    "featureGates",
    "makeIPTablesUtilChains",
    "podPidsLimit",
    "readOnlyPort",
    "rotateCertificates",
    "seccompDefault",
    "serverTLSBootstrap",
    "streamingConnectionIdleTimeout",
    "tlsCertFile",
    "tlsCipherSuites",
    "tlsMinVersion",
    "tlsPrivateKeyFile",
)
"""Settings that this section looks at, by the first part of their path."""
FLAGS = (
    "anonymous-auth",
    "authorization-mode",
    "client-ca-file",
    "event-qps",
    "feature-gates",
    "hostname-override",
    "make-iptables-util-chains",
    "pod-max-pids",
    "read-only-port",
    "rotate-certificates",
    "rotate-server-certificates",
    "seccomp-default",
    "streaming-connection-idle-timeout",
    "tls-cert-file",
    "tls-cipher-suites",
    "tls-min-version",
    "tls-private-key-file",
)
"""Flags that count before them."""


def _point(
    number: str,
    title: str,
    wanted: str,
    judge: Judge,
    *,
    default: State = State.HOLDS,
    today: str = "kubeadm sets it so",
    decided_by: Decider = Decider.KUBEADM,
    fix: str = "",
) -> Point[HostFacts]:
    return Point(
        number=number,
        title=title,
        scope=Scope.NODE,
        wanted=wanted,
        decided_by=decided_by,
        judge=judge,
        fix=fix or declared(wanted),
        default=default,
        today=today,
    )


def _enough_events(value: Any) -> bool:
    return isinstance(value, int) and (value == 0 or value >= _EVENTS)


def _serves(facts: HostFacts) -> Verdict:
    arguments = facts.arguments.get(KUBELET)
    if arguments is None:
        return unknown(judges.absent(KUBELET))
    asks = arguments.last("rotate-server-certificates") or facts.kubelet.get("serverTLSBootstrap")
    if asks in (True, "true"):
        return holds("serverTLSBootstrap: true")
    pair = [
        arguments.last(flag) or facts.kubelet.get(name)
        for flag, name in (("tls-cert-file", "tlsCertFile"), ("tls-private-key-file", "tlsPrivateKeyFile"))
    ]
    return either(all(pair), f"tlsCertFile: {pair[0]}" if pair[0] else "it signs its certificate itself")


def _gate(facts: HostFacts) -> Verdict:
    arguments = facts.arguments.get(KUBELET)
    if arguments is None:
        return unknown(judges.absent(KUBELET))
    for item in arguments.items("feature-gates"):
        if item.startswith(f"{_GATE}="):
            return either(item.lower() != f"{_GATE}=false".lower(), f"--feature-gates={item}")
    gates = facts.kubelet.get("featureGates")
    value = gates.get(_GATE) if isinstance(gates, Mapping) else None
    return either(value is not False, f"no {_GATE}" if value is None else f"{_GATE}: {str(value).lower()}")


def _ciphers(facts: HostFacts) -> Verdict:
    arguments = facts.arguments.get(KUBELET)
    if arguments is None:
        return unknown(judges.absent(KUBELET))
    least = arguments.last("tls-min-version") or facts.kubelet.get("tlsMinVersion")
    if least == "VersionTLS13":
        return holds("tlsMinVersion: VersionTLS13")
    suites = arguments.items("tls-cipher-suites") or facts.kubelet.get("tlsCipherSuites") or []
    weak = sorted({str(suite) for suite in suites} - STRONG_CIPHERS)
    if weak:
        return fails(f"tlsCipherSuites has {few(weak)}")
    return (
        holds(f"{len(suites)} strong ones")
        if suites
        else fails("no tlsCipherSuites: Go's own, CBC among them")
    )


_NOBODY = "nobody sets it"
_BY_ROLE = "the role `kubelet` sets it; a profile of hosts in the declaration may say otherwise"
_UNLESS = (
    "take it out of `hostProfiles.NAME.kubelet`, which counts before the role, and run `pulumi up --refresh`"
)
_ACCESS = (
    _point(
        "4.2.1",
        "Nobody asks kubelet without saying who he is",
        "authentication: {anonymous: {enabled: false}}",
        setting(
            "authentication.anonymous.enabled", lambda on: on is False, flag="anonymous-auth", default=False
        ),
    ),
    _point(
        "4.2.2",
        "Not everybody may do everything with kubelet",
        "authorization: {mode: Webhook}",
        setting(
            "authorization.mode",
            lambda mode: mode == "Webhook",
            flag="authorization-mode",
            default="Webhook",
        ),
    ),
    _point(
        "4.2.3",
        "kubelet knows clients by an authority",
        "authentication: {x509: {clientCAFile: …}}",
        setting("authentication.x509.clientCAFile", bool, flag="client-ca-file"),
    ),
    _point(
        "4.2.4",
        "kubelet has no port for everybody to read",
        "readOnlyPort: 0",
        setting("readOnlyPort", lambda port: port == 0, flag="read-only-port", default=0),
        decided_by=Decider.KUBERNETES,
        today=_NOBODY,
    ),
    _point(
        "4.2.5",
        "Idle streams into pods end",
        "streamingConnectionIdleTimeout: 4h0m0s",
        # In a file, 0 is what kubelet takes for its default; by the flag it is no end at all.
        setting(
            "streamingConnectionIdleTimeout",
            lambda time: str(time) not in ("0", "0s", "0m", "0h"),
            flag="streaming-connection-idle-timeout",
            default="4h0m0s",
            wanting="0s",
        ),
        decided_by=Decider.KUBERNETES,
        today=_NOBODY + ", so it is four hours",
    ),
)
_BEHAVIOUR = (
    _point(
        "4.2.6",
        "kubelet keeps its own chains of the packet filter",
        "makeIPTablesUtilChains: true",
        setting(
            "makeIPTablesUtilChains",
            lambda on: on is True,
            flag="make-iptables-util-chains",
            default=True,
        ),
        decided_by=Decider.KUBERNETES,
        today=_NOBODY,
    ),
    _point(
        "4.2.7",
        "A node has its machine's own name",
        "no --hostname-override",
        flags(KUBELET, judges.not_given("hostname-override")),
        today="kubeadm sets it only where a machine has another name than its node",
        fix="give the machine its node's name (`hostnamectl hostname NAME`), take the node out in a change "
        "of its own, and declare it anew",
    ),
    _point(
        "4.2.8",
        "kubelet leaves out no events that matter",
        "eventRecordQPS: 50",
        setting("eventRecordQPS", _enough_events, flag="event-qps", default=_EVENTS),
        decided_by=Decider.KUBERNETES,
        today=_NOBODY + ", so it is 50",
    ),
)
_CERTIFICATES = (
    _point(
        "4.2.9",
        "kubelet serves by a certificate that others can check",
        "tlsCertFile: …, tlsPrivateKeyFile: …",
        _serves,
        default=State.FAILS,
        today="it signs its own: [why](../decisions/kubelet-serving-certificates.md)",
        decided_by=Decider.KUBERNETES,
    ),
    _point(
        "4.2.10",
        "kubelet renews the certificate that it asks by",
        "rotateCertificates: true",
        setting("rotateCertificates", lambda on: on is True, flag="rotate-certificates", default=False),
    ),
    _point(
        "4.2.11",
        "kubelet may renew the certificate that it serves by",
        f"featureGates: {{{_GATE}: true}}",
        _gate,
        decided_by=Decider.KUBERNETES,
        today="the gate is on by default; what it serves by today is 4.2.9",
    ),
    _point(
        "4.2.12",
        "kubelet offers strong ciphers alone",
        "tlsCipherSuites of ECDHE with GCM or ChaCha20, or tlsMinVersion: VersionTLS13",
        _ciphers,
        today=_BY_ROLE,
        decided_by=Decider.ROLE,
        fix=_UNLESS,
    ),
)
_PODS = (
    _point(
        "4.2.13",
        "A pod cannot take all process numbers of its node",
        "podPidsLimit: 4096",
        setting(
            "podPidsLimit",
            lambda limit: isinstance(limit, int) and limit > 0,
            flag="pod-max-pids",
            default=-1,
        ),
        today=_BY_ROLE,
        decided_by=Decider.ROLE,
        fix=_UNLESS,
    ),
    _point(
        "4.2.14",
        "Containers have the runtime's filter of system calls unless they say otherwise",
        "seccompDefault: true",
        setting("seccompDefault", lambda on: on is True, flag="seccomp-default", default=False),
        today=_BY_ROLE,
        decided_by=Decider.ROLE,
        fix=_UNLESS,
    ),
)
POINTS: tuple[Point[HostFacts], ...] = (*_ACCESS, *_BEHAVIOUR, *_CERTIFICATES, *_PODS)
