"""Section 1.1: files of the control plane, who may read them, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator

from live.hardening.facts import HostFacts
from live.hardening.judges import ROOT, modes, owners
from live.hardening.model import Decider, Point, Scope, State

_MANIFESTS = (
    ("the API server", "/etc/kubernetes/manifests/kube-apiserver.yaml"),
    ("the controller manager", "/etc/kubernetes/manifests/kube-controller-manager.yaml"),
    ("the scheduler", "/etc/kubernetes/manifests/kube-scheduler.yaml"),
    ("etcd", "/etc/kubernetes/manifests/etcd.yaml"),
)
_CNI = "/etc/cni/net.d/*"
_DATA = "/var/lib/etcd"
_ADMIN = ("/etc/kubernetes/admin.conf", "/etc/kubernetes/super-admin.conf")
_SCHEDULER = "/etc/kubernetes/scheduler.conf"
_CONTROLLER_MANAGER = "/etc/kubernetes/controller-manager.conf"
_PKI = "/etc/kubernetes/pki"
_ALL_PKI = (_PKI, f"{_PKI}/*", f"{_PKI}/etcd/*")
_CERTIFICATES = (f"{_PKI}/*.crt", f"{_PKI}/etcd/*.crt")
_KEYS = (f"{_PKI}/*.key", f"{_PKI}/etcd/*.key")
PATTERNS = (
    *(path for _, path in _MANIFESTS),
    _CNI,
    _DATA,
    *_ADMIN,
    _SCHEDULER,
    _CONTROLLER_MANAGER,
    *_ALL_PKI,
    *_CERTIFICATES,
    *_KEYS,
)
"""Paths that this section looks at."""
_BY_KUBEADM = "kubeadm writes it so"


def mode(
    number: str,
    title: str,
    most: int,
    *patterns: str,
    scope: Scope = Scope.CONTROL_PLANE,
    decided_by: Decider = Decider.KUBEADM,
    default: State = State.HOLDS,
    today: str = _BY_KUBEADM,
    optional: str = "",
    fix: str = "",
) -> Point[HostFacts]:
    """A point on rights. most: the most that any of the files may give."""
    return Point(
        number=number,
        title=title,
        scope=scope,
        wanted=f"mode {most:04o} or less",
        decided_by=decided_by,
        judge=modes(most, *patterns, optional=optional),
        fix=fix or f"on the host: `chmod {most:04o} {' '.join(patterns)}`",
        default=default,
        today=today,
    )


def owner(
    number: str,
    title: str,
    *patterns: str,
    wanted: str = ROOT,
    scope: Scope = Scope.CONTROL_PLANE,
    decided_by: Decider = Decider.KUBEADM,
    default: State = State.HOLDS,
    today: str = _BY_KUBEADM,
    optional: str = "",
    fix: str = "",
) -> Point[HostFacts]:
    """A point on whose files are."""
    return Point(
        number=number,
        title=title,
        scope=scope,
        wanted=f"owner {wanted}",
        decided_by=decided_by,
        judge=owners(wanted, *patterns, optional=optional),
        fix=fix or f"on the host: `chown {wanted} {' '.join(patterns)}`",
        default=default,
        today=today,
    )


def _manifests() -> Iterator[Point[HostFacts]]:
    for index, (what, path) in enumerate(_MANIFESTS):
        yield mode(f"1.1.{2 * index + 1}", f"Root alone reads and writes {what}'s manifest", 0o600, path)
        yield owner(f"1.1.{2 * index + 2}", f"Root owns {what}'s manifest", path)


POINTS: tuple[Point[HostFacts], ...] = (
    *_manifests(),
    mode(
        "1.1.9",
        "Root alone reads and writes the network's configuration",
        0o600,
        _CNI,
        scope=Scope.NODE,
        decided_by=Decider.ROLE,
        today="the role `pod_network` writes it so",
        fix="run `pulumi up --refresh` where the role's file is named, and `chmod 0600` those of others",
    ),
    owner(
        "1.1.10",
        "The network's configuration is root's",
        _CNI,
        scope=Scope.NODE,
        decided_by=Decider.ROLE,
        today="the role `pod_network` writes it as root",
    ),
    mode("1.1.11", "Nobody but its owner reads etcd's data", 0o700, _DATA, today="kubeadm makes it so"),
    owner(
        "1.1.12",
        "etcd's data is a user's who is nobody else",
        _DATA,
        wanted="etcd:etcd",
        default=State.FAILS,
        today="kubeadm runs etcd as root, so its data is root's; nobody else reads it (1.1.11)",
        fix="leave it as long as etcd runs as root: with mode 0700, root alone reads it",
    ),
    mode("1.1.13", "Root alone reads the administrator's kubeconfigs", 0o600, *_ADMIN),
    owner("1.1.14", "The administrator's kubeconfigs are root's", *_ADMIN),
    mode("1.1.15", "Root alone reads the scheduler's kubeconfig", 0o600, _SCHEDULER),
    owner("1.1.16", "The scheduler's kubeconfig is root's", _SCHEDULER),
    mode("1.1.17", "Root alone reads the controller manager's kubeconfig", 0o600, _CONTROLLER_MANAGER),
    owner("1.1.18", "The controller manager's kubeconfig is root's", _CONTROLLER_MANAGER),
    owner("1.1.19", "Keys and certificates are root's, and so are their directories", *_ALL_PKI),
    mode(
        "1.1.20",
        "Root alone writes certificates",
        0o644,
        *_CERTIFICATES,
        today="kubeadm writes its own so, and the role `control_plane` the authority's",
    ),
    mode(
        "1.1.21",
        "Root alone reads keys",
        0o600,
        *_KEYS,
        today="kubeadm writes its own so, and the role `control_plane` the authority's",
    ),
)
