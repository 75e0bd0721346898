"""Section 2: flags of etcd."""

from __future__ import annotations

from live.hardening import judges
from live.hardening.facts import HostFacts
from live.hardening.judges import API_SERVER, ETCD, Judge, flags
from live.hardening.mends import in_manifest
from live.hardening.model import Decider, Point, Scope, State, Verdict, either, unknown

FLAGS = (
    "auto-tls",
    "cert-file",
    "client-cert-auth",
    "key-file",
    "peer-auto-tls",
    "peer-cert-file",
    "peer-client-cert-auth",
    "peer-key-file",
    "trusted-ca-file",
)
"""Flags that this section looks at."""


def _point(
    number: str, title: str, wanted: str, judge: Judge, today: str = "kubeadm sets it so"
) -> Point[HostFacts]:
    return Point(
        number=number,
        title=title,
        scope=Scope.CONTROL_PLANE,
        wanted=wanted,
        decided_by=Decider.KUBEADM,
        judge=judge,
        fix=in_manifest(ETCD, wanted),
        default=State.HOLDS,
        today=today,
    )


def _own_authority(facts: HostFacts) -> Verdict:
    """Whoever has a certificate of the cluster must not be let in by etcd."""
    etcd, server = facts.arguments.get(ETCD), facts.arguments.get(API_SERVER)
    if etcd is None or server is None:
        return unknown(judges.absent(ETCD if etcd is None else API_SERVER))
    own = etcd.last("trusted-ca-file")
    return either(bool(own) and own != server.last("client-ca-file"), judges.told(etcd, "trusted-ca-file"))


_UNSET = "kubeadm does not set it"

POINTS: tuple[Point[HostFacts], ...] = (
    _point(
        "2.1",
        "etcd serves by TLS",
        "--cert-file and --key-file",
        flags(ETCD, judges.given("cert-file", "key-file")),
    ),
    _point(
        "2.2",
        "etcd serves nobody without a certificate",
        "--client-cert-auth=true",
        flags(ETCD, judges.is_value("client-cert-auth", "true", "false")),
    ),
    _point(
        "2.3",
        "etcd serves by no certificate that it signs itself",
        "--auto-tls not true",
        flags(ETCD, judges.not_value("auto-tls", "true")),
        _UNSET,
    ),
    _point(
        "2.4",
        "Members of etcd speak by TLS",
        "--peer-cert-file and --peer-key-file",
        flags(ETCD, judges.given("peer-cert-file", "peer-key-file")),
    ),
    _point(
        "2.5",
        "Nobody becomes a member of etcd without a certificate",
        "--peer-client-cert-auth=true",
        flags(ETCD, judges.is_value("peer-client-cert-auth", "true", "false")),
    ),
    _point(
        "2.6",
        "Members of etcd speak by no certificate that they sign themselves",
        "--peer-auto-tls not true",
        flags(ETCD, judges.not_value("peer-auto-tls", "true")),
        _UNSET,
    ),
    _point(
        "2.7",
        "etcd has an authority of its own",
        "--trusted-ca-file other than the API server's --client-ca-file",
        _own_authority,
    ),
)
