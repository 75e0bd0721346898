"""The points, a module for each section, and what has to be read for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from live.hardening.facts import HostFacts
from live.hardening.model import Point, Scope
from live.hardening.points import (
    api_server,
    authentication,
    controllers,
    etcd,
    files,
    hosts,
    kubelet,
    node_files,
)

SECTIONS: Mapping[str, tuple[Point[Any], ...]] = {
    "1.1 Files of the control plane": files.POINTS,
    "1.2 API server": api_server.POINTS,
    "1.3 and 1.4 Controller manager and scheduler": controllers.POINTS,
    "2 etcd": etcd.POINTS,
    "3 Authentication and audit": authentication.POINTS,
    "4.1 Files of nodes": node_files.POINTS,
    "4.2 kubelet": kubelet.POINTS,
    "H Hosts": hosts.POINTS,
}
"""All points by their section, in the order of their numbers."""
POINTS: tuple[Point[Any], ...] = tuple(point for points in SECTIONS.values() for point in points)
OF_HOSTS: tuple[Point[HostFacts], ...] = tuple(point for point in POINTS if point.scope is not Scope.CLUSTER)
ORDER: Mapping[str, Any] = {
    "root": "",
    "files": sorted({*files.PATTERNS, *node_files.PATTERNS}),
    "flags": {
        "kube-apiserver": sorted({*api_server.FLAGS, *authentication.FLAGS, *hosts.FLAGS}),
        "kube-controller-manager": sorted(controllers.FLAGS),
        "kube-scheduler": sorted(controllers.FLAGS),
        "etcd": sorted({*etcd.FLAGS, *hosts.FLAGS}),
        "kubelet": sorted(kubelet.FLAGS),
    },
    "settings": sorted({*kubelet.SETTINGS, *hosts.SETTINGS}),
    "sshd": sorted(hosts.SSHD),
    "sysctls": sorted(hosts.SYSCTLS),
    "audited": list(authentication.AUDITED),
}
"""What a host is asked: what some point looks at, and nothing else."""
