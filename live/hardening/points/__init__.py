"""The points, a module for each section, and what has to be read for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from live.hardening.facts import ClusterFacts, HostFacts
from live.hardening.model import Point, Scope
from live.hardening.points import (
    access_rights,
    api_server,
    authentication,
    controllers,
    etcd,
    files,
    hosts,
    kube_proxy,
    kubelet,
    node_files,
    pod_security,
    workloads,
)

SECTIONS: Mapping[str, tuple[Point[Any], ...]] = {
    "1.1 Files of the control plane": files.POINTS,
    "1.2 API server": api_server.POINTS,
    "1.3 and 1.4 Controller manager and scheduler": controllers.POINTS,
    "2 etcd": etcd.POINTS,
    "3 Authentication and audit": authentication.POINTS,
    "4.1 Files of nodes": node_files.POINTS,
    "4.2 kubelet": kubelet.POINTS,
    "4.3 kube-proxy": kube_proxy.POINTS,
    "5.1 Rights and accounts": access_rights.POINTS,
    "5.2 Pods": pod_security.POINTS,
    "5.3 to 5.6 Networks, secrets, images, namespaces": workloads.POINTS,
    "H Hosts": hosts.POINTS,
}
"""All points by their section, in the order of their numbers."""
POINTS: tuple[Point[Any], ...] = tuple(point for points in SECTIONS.values() for point in points)
OF_HOSTS: tuple[Point[HostFacts], ...] = tuple(point for point in POINTS if point.scope is not Scope.CLUSTER)
OF_CLUSTERS: tuple[Point[ClusterFacts], ...] = tuple(
    point for point in POINTS if point.scope is Scope.CLUSTER
)
ORDER: Mapping[str, Any] = {
    "root": "",
    "files": sorted({*files.PATTERNS, *node_files.PATTERNS}),
    "flags": {
        "kube-apiserver": sorted({*api_server.FLAGS, *authentication.FLAGS, *workloads.FLAGS, *hosts.FLAGS}),
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
