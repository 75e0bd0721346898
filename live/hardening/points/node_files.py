"""Section 4.1: files of nodes, who may read them, and whose they are."""

from __future__ import annotations

from functools import partial

from live.hardening.facts import HostFacts
from live.hardening.model import Decider, Point, Scope, State
from live.hardening.points import files

_UNITS = (
    "/usr/lib/systemd/system/kubelet.service",
    "/usr/lib/systemd/system/kubelet.service.d/*.conf",
    "/etc/systemd/system/kubelet.service",
    "/etc/systemd/system/kubelet.service.d/*.conf",
)
_PROXY = "/var/lib/kube-proxy/kubeconfig.conf"
_KUBECONFIG = "/etc/kubernetes/kubelet.conf"
_AUTHORITY = "/etc/kubernetes/pki/ca.crt"
_CONFIGURATION = ("/var/lib/kubelet/config.yaml", "/etc/kubernetes/kubelet.conf.d/*.conf")
_IN_A_POD = "kube-proxy runs as a pod, with the token of its account"
PATTERNS = (*_UNITS, _PROXY, _KUBECONFIG, _AUTHORITY, *_CONFIGURATION)
"""Paths that this section looks at."""

_mode = partial(files.mode, scope=Scope.NODE)
_owner = partial(files.owner, scope=Scope.NODE)

POINTS: tuple[Point[HostFacts], ...] = (
    _mode(
        "4.1.1",
        "Root alone reads and writes kubelet's units",
        0o600,
        *_UNITS,
        decided_by=Decider.ROLE,
        today="the role `kubelet` closes what the package installs for everybody to read",
        fix="run `pulumi up --refresh`: the package's next release brings 0644 again",
    ),
    _owner(
        "4.1.2",
        "kubelet's units are root's",
        *_UNITS,
        decided_by=Decider.PACKAGE,
        today="packages install them so",
    ),
    _mode(
        "4.1.3",
        "Root alone reads kube-proxy's kubeconfig",
        0o600,
        _PROXY,
        default=State.NOT_APPLICABLE,
        today=_IN_A_POD,
        optional=_IN_A_POD,
    ),
    _owner(
        "4.1.4",
        "kube-proxy's kubeconfig is root's",
        _PROXY,
        default=State.NOT_APPLICABLE,
        today=_IN_A_POD,
        optional=_IN_A_POD,
    ),
    _mode("4.1.5", "Root alone reads kubelet's kubeconfig", 0o600, _KUBECONFIG),
    _owner("4.1.6", "kubelet's kubeconfig is root's", _KUBECONFIG),
    _mode("4.1.7", "Root alone writes the authority that kubelet knows clients by", 0o644, _AUTHORITY),
    _owner("4.1.8", "The authority that kubelet knows clients by is root's", _AUTHORITY),
    _mode(
        "4.1.9",
        "Root alone reads and writes kubelet's configuration",
        0o600,
        *_CONFIGURATION,
        decided_by=Decider.ROLE,
        today="the role `kubelet` writes its own so, and closes kubeadm's",
        fix="run `pulumi up --refresh`: kubeadm writes `config.yaml` with 0644 when it upgrades a node",
    ),
    _owner(
        "4.1.10",
        "kubelet's configuration is root's",
        *_CONFIGURATION,
        today="kubeadm and the role `kubelet` write it as root",
    ),
)
