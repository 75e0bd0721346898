"""Section 1.2: flags of the API server."""

from __future__ import annotations

from live.hardening import judges
from live.hardening.facts import Arguments, HostFacts
from live.hardening.judges import API_SERVER, OfFlags, flags, told
from live.hardening.mends import by_up, in_manifest
from live.hardening.model import (
    Decider,
    Point,
    Scope,
    State,
    Verdict,
    apart,
    either,
    fails,
    few,
    holds,
    unknown,
)

_OPEN = ("/livez", "/readyz", "/healthz", "/api/v1/namespaces/kube-public/configmaps/cluster-info")
"""What may be asked for by whoever says nothing of himself: health, by kubelet and load balancers, and what a
node that joins has to know before it can say who it is."""
_ENCRYPTING = frozenset({"aescbc", "kms", "secretbox"})
_MOST_SECONDS = 300
_UNITS = {"s": 1, "m": 60, "h": 3600}
_MODES, _ADMITTING, _NOT_ADMITTING = (
    "authorization-mode",
    "enable-admission-plugins",
    "disable-admission-plugins",
)
_ENCRYPTION = "encryption-provider-config"
FLAGS = (
    "anonymous-auth",
    "audit-log-maxage",
    "audit-log-maxbackup",
    "audit-log-maxsize",
    "audit-log-path",
    "authentication-config",
    _MODES,
    "authorization-config",
    "client-ca-file",
    _NOT_ADMITTING,
    _ADMITTING,
    _ENCRYPTION,
    "etcd-cafile",
    "etcd-certfile",
    "etcd-keyfile",
    "kubelet-certificate-authority",
    "kubelet-client-certificate",
    "kubelet-client-key",
    "profiling",
    "request-timeout",
    "service-account-extend-token-expiration",
    "service-account-key-file",
    "service-account-lookup",
    "tls-cert-file",
    "tls-cipher-suites",
    "tls-min-version",
    "tls-private-key-file",
    "token-auth-file",
)
"""Flags that this section looks at."""


def _point(
    number: str,
    title: str,
    wanted: str,
    of_flags: OfFlags,
    *,
    default: State = State.HOLDS,
    today: str = "kubeadm sets it so",
    decided_by: Decider = Decider.KUBEADM,
    fix: str = "",
) -> Point[HostFacts]:
    return Point(
        number=number,
        title=title,
        scope=Scope.CONTROL_PLANE,
        wanted=wanted,
        decided_by=decided_by,
        judge=flags(API_SERVER, of_flags),
        fix=fix or in_manifest(API_SERVER, wanted),
        default=default,
        today=today,
    )


def _set(
    number: str, title: str, wanted: str, of_flags: OfFlags, *keys: str, today: str = "", fix: str = ""
) -> Point[HostFacts]:
    """One that the role sets. keys: of the declaration, that it is set by."""
    return _point(
        number,
        title,
        wanted,
        of_flags,
        today=today or _BY_ROLE + (f"; {' and '.join(f'`{key}`' for key in keys)} decides" if keys else ""),
        decided_by=Decider.ROLE,
        fix=fix or by_up(*keys),
    )


def _open(
    number: str, title: str, wanted: str, of_flags: OfFlags, why: str, fix: str = ""
) -> Point[HostFacts]:
    """One that does not hold by Kubernetes' defaults."""
    return _point(
        number,
        title,
        wanted,
        of_flags,
        default=State.FAILS,
        today=why,
        decided_by=Decider.KUBERNETES,
        fix=fix,
    )


def _anonymous(facts: HostFacts) -> Verdict:
    arguments = facts.arguments.get(API_SERVER)
    if arguments is None:
        return unknown(judges.absent(API_SERVER))
    file = arguments.last("authentication-config")
    if file is None or arguments.last("anonymous-auth") is not None:
        return judges.is_value("anonymous-auth", "false", "true")(arguments)
    if facts.authentication is None:
        why = f"{file} says who may be anonymous, and cannot be read on the host"
        return unknown(why, f"see `anonymous` in {file}")
    allowed = facts.authentication.anonymous
    if allowed is None:
        return fails(f"{file} does not say, and no --anonymous-auth does (by default true)")
    more = [path for path in allowed if path not in _OPEN]
    return fails(f"{file} lets anybody ask for {few(more)}") if more else holds(f"{file} bounds it")


def _modes(good: OfFlags) -> OfFlags:
    """Where a file has the authorizers, it is not read."""

    def judge(arguments: Arguments) -> Verdict:
        file = arguments.last("authorization-config")
        return (
            unknown(f"{file} has the authorizers, and is not read", f"see {file}")
            if file
            else good(arguments)
        )

    return judge


def _always_allow(arguments: Arguments) -> Verdict:
    """Without the flag, everybody may do everything."""
    items = arguments.items(_MODES)
    return either(bool(items) and "AlwaysAllow" not in items, told(arguments, _MODES, "AlwaysAllow"))


def _timeout(arguments: Arguments) -> Verdict:
    """A request of any length ties up the server; without the flag it is 60 s (apiserver, `NewConfig`)."""
    value = arguments.last("request-timeout")
    seconds = 60 if value is None else _seconds(value)
    return either(0 < seconds <= _MOST_SECONDS, told(arguments, "request-timeout", "1m0s"))


def _seconds(text: str) -> float:
    """Of a duration as Go writes it; 0 for what is none."""
    total, digits = 0.0, ""
    for letter in text:
        if letter.isdigit() or letter == ".":
            digits += letter
        elif letter in _UNITS and digits:
            total, digits = total + float(digits) * _UNITS[letter], ""
        else:
            return 0
    return 0 if digits else total


def _providers(facts: HostFacts) -> Verdict:
    arguments = facts.arguments.get(API_SERVER)
    if arguments is None:
        return unknown(judges.absent(API_SERVER))
    path = arguments.last(_ENCRYPTION)
    if path is None:
        return apart("nothing is encrypted at rest, which 1.2.27 says")
    if not facts.encryption:
        why = f"{path} cannot be read on the host, or names no provider"
        return unknown(why, f"see {path} on the host")
    plain = [name for name in facts.encryption if name not in _ENCRYPTING]
    return fails(f"{few(plain)} comes first") if plain else holds(few(sorted(set(facts.encryption))))


def _plugin(name: str) -> tuple[str, OfFlags]:
    return f"--{_ADMITTING}=…,{name}", judges.includes(_ADMITTING, name)


def _built_in(name: str) -> tuple[str, OfFlags]:
    return f"{name} not in --{_NOT_ADMITTING}", judges.excludes(_NOT_ADMITTING, name)


_BY_ROLE = "the role `control_plane` sets it"
_ON_BY_DEFAULT = "Kubernetes has it on by default, and nobody switches it off"
_AUTHENTICATION = (
    Point(
        number="1.2.1",
        title="Nobody asks the API server without saying who he is, but for health and to join",
        scope=Scope.CONTROL_PLANE,
        wanted="--anonymous-auth=false, or an --authentication-config that bounds it to " + ", ".join(_OPEN),
        decided_by=Decider.ROLE,
        judge=_anonymous,
        fix=by_up(),
        default=State.HOLDS,
        today="the role `control_plane` bounds it: the API server's own probes, and nodes that join, ask "
        "without credentials",
    ),
    _point(
        "1.2.2",
        "No file of tokens is a way in",
        "no --token-auth-file",
        judges.not_given("token-auth-file"),
        today="nobody sets it",
    ),
    _set(
        "1.2.3",
        "Services cannot take addresses that others have (externalIPs)",
        *_plugin("DenyServiceExternalIPs"),
        today=f"{_BY_ROLE}, but for regions with `gatewayNodes`, whose gateway is reached by them",
        fix="in regions with `gatewayNodes` it has to be off, and whoever may write Services can draw "
        "traffic by `externalIPs`: declare a `loadBalancer` instead; elsewhere " + by_up(),
    ),
    _point(
        "1.2.4",
        "The API server shows kubelets a certificate",
        "--kubelet-client-certificate and --kubelet-client-key",
        judges.given("kubelet-client-certificate", "kubelet-client-key"),
    ),
    _open(
        "1.2.5",
        "The API server checks kubelets' certificates",
        "--kubelet-certificate-authority=…",
        judges.given("kubelet-certificate-authority"),
        "kubelets sign their serving certificates themselves, for nothing would approve their requests: "
        "[why](../decisions/kubelet-serving-certificates.md)",
        "set it only when kubelets serve by certificates of that authority (4.2.9): until then, logs and "
        "commands in pods would fail",
    ),
    _point(
        "1.2.6",
        "Not everybody may do everything",
        f"--{_MODES} without AlwaysAllow",
        _modes(_always_allow),
    ),
    _point(
        "1.2.7",
        "Nodes may do only what nodes do",
        f"--{_MODES}=…,Node",
        _modes(judges.includes(_MODES, "Node")),
    ),
    _point(
        "1.2.8", "Roles say who may do what", f"--{_MODES}=…,RBAC", _modes(judges.includes(_MODES, "RBAC"))
    ),
)
_ADMISSION = (
    _set(
        "1.2.9",
        "The rate of events is bounded",
        *_plugin("EventRateLimit"),
        today=f"{_BY_ROLE}: 100 in a second of each namespace, and 2000 at once",
    ),
    _point(
        "1.2.10",
        "Admission is not switched off as a whole",
        f"--{_ADMITTING} without AlwaysAdmit",
        judges.excludes(_ADMITTING, "AlwaysAdmit"),
        today="kubeadm adds NodeRestriction alone to what is on by default",
    ),
    _open(
        "1.2.11",
        "Who uses an image has the right to pull it",
        *_plugin("AlwaysPullImages"),
        "kubeadm does not switch it on; hosts that import image bundles have images that no registry has, "
        "whose pods could not start with it",
        "leave it off where hosts import image bundles; else "
        + in_manifest(API_SERVER, _plugin("AlwaysPullImages")[0]),
    ),
    _point(
        "1.2.12",
        "Pods have accounts",
        *_built_in("ServiceAccount"),
        decided_by=Decider.KUBERNETES,
        today=_ON_BY_DEFAULT,
    ),
    _point(
        "1.2.13",
        "Nothing is made in namespaces that are going or gone",
        *_built_in("NamespaceLifecycle"),
        decided_by=Decider.KUBERNETES,
        today=_ON_BY_DEFAULT,
    ),
    _point("1.2.14", "A kubelet changes its own node and pods only", *_plugin("NodeRestriction")),
)
_LOGGING = (
    _point(
        "1.2.15",
        "The API server offers no profile of itself",
        "--profiling=false",
        judges.is_value("profiling", "false", "true"),
        decided_by=Decider.ROLE,
        today=_BY_ROLE,
        fix=by_up(),
    ),
    _set(
        "1.2.16",
        "Requests are written into an audit log",
        "--audit-log-path=…",
        judges.given("audit-log-path"),
        "audit.enabled",
    ),
    _set(
        "1.2.17",
        "The audit log goes back a month",
        "--audit-log-maxage=30 or more (days)",
        judges.at_least("audit-log-maxage", 30),
        "audit.maxAge",
    ),
    _set(
        "1.2.18",
        "Ten files of the audit log are kept",
        "--audit-log-maxbackup=10 or more",
        judges.at_least("audit-log-maxbackup", 10),
        "audit.maxBackup",
    ),
    _set(
        "1.2.19",
        "A file of the audit log holds 100 MB",
        "--audit-log-maxsize=100 or more (MB)",
        judges.at_least("audit-log-maxsize", 100),
        "audit.maxSize",
    ),
    _point(
        "1.2.20",
        "Requests end",
        f"--request-timeout up to {_MOST_SECONDS}s, or not set",
        _timeout,
        decided_by=Decider.KUBERNETES,
        today="it is not set, so a request ends after a minute",
    ),
)
_CREDENTIALS = (
    _point(
        "1.2.21",
        "Tokens of accounts that are gone are refused",
        "--service-account-lookup not false",
        judges.not_value("service-account-lookup", "false"),
        decided_by=Decider.KUBERNETES,
        today="it is not set, and on by default",
    ),
    _point(
        "1.2.22",
        "Tokens of accounts are checked by a key of their own",
        "--service-account-key-file=…",
        judges.given("service-account-key-file"),
    ),
    _point(
        "1.2.23",
        "The API server shows etcd a certificate",
        "--etcd-certfile and --etcd-keyfile",
        judges.given("etcd-certfile", "etcd-keyfile"),
    ),
    _point(
        "1.2.24",
        "The API server serves by TLS with a certificate of its cluster",
        "--tls-cert-file and --tls-private-key-file",
        judges.given("tls-cert-file", "tls-private-key-file"),
    ),
    _point(
        "1.2.25",
        "Clients' certificates are checked by an authority",
        "--client-ca-file=…",
        judges.given("client-ca-file"),
    ),
    _point(
        "1.2.26",
        "The API server checks etcd's certificate",
        "--etcd-cafile=…",
        judges.given("etcd-cafile"),
    ),
    _set("1.2.27", "Secrets are encrypted in etcd", f"--{_ENCRYPTION}=…", judges.given(_ENCRYPTION)),
    Point(
        number="1.2.28",
        title="What encrypts Secrets is strong",
        scope=Scope.CONTROL_PLANE,
        wanted="aescbc, kms or secretbox first in each rule",
        decided_by=Decider.ROLE,
        judge=_providers,
        fix=by_up("encryptionAtRest: true"),
        default=State.HOLDS,
        today="the role has secretbox first, or nothing with `encryptionAtRest: false`",
    ),
    _set(
        "1.2.29",
        "The API server offers strong ciphers alone",
        "--tls-cipher-suites of ECDHE with GCM or ChaCha20, or --tls-min-version=VersionTLS13",
        judges.strong_ciphers,
    ),
    _open(
        "1.2.30",
        "A pod's token is good for no longer than it says",
        "--service-account-extend-token-expiration=false",
        judges.is_value("service-account-extend-token-expiration", "false", "true"),
        "Kubernetes takes pods' tokens for a year, for clients that do not read them anew; with "
        "`extendTokens: false` of the cluster, for as long as they say",
        "declare `extendTokens: false` of the cluster, once all clients read their tokens anew",
    ),
)
POINTS: tuple[Point[HostFacts], ...] = (*_AUTHENTICATION, *_ADMISSION, *_LOGGING, *_CREDENTIALS)
