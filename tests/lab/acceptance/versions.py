"""What runs in a cluster, held against what the catalogue says of the versions that were declared."""

from __future__ import annotations

import releases
from access.cluster import Cluster
from tests.lab.site import Ended, Site

Versions = dict[str, str]
PROGRAMS = ("kubernetes", "istio", "metallb")


def healthy(site: Site) -> Ended:
    """The doctor's word; fails with it where it is not well."""
    told = site.crossmesh("doctor", "--json", check=False)
    assert told.returncode == 0, told.stdout[-4000:]
    return told


def running(cluster: Cluster) -> dict[str, list[str]]:
    """What runs in a cluster: kubelets' versions, and the tags of images by their last names."""
    found: dict[str, set[str]] = {}
    for node in cluster.core.list_node().items:
        found.setdefault("kubelet", set()).add(node.status.node_info.kubelet_version)
    wanted = {"kube-apiserver", "etcd", "coredns", "pilot", "proxyv2", "speaker"}
    for pod in cluster.core.list_pod_for_all_namespaces().items:
        for container in pod.spec.containers:
            image, _, tag = container.image.rpartition(":")
            if image.rpartition("/")[2] in wanted:
                found.setdefault(image.rpartition("/")[2], set()).add(tag)
    return {what: sorted(tags) for what, tags in sorted(found.items())}


def expected(versions: Versions) -> dict[str, list[str]]:
    """The same, as the catalogue has it."""
    kubernetes, istio, metallb = (releases.release(program, versions[program]) for program in PROGRAMS)
    images = {name: [kubernetes.tag(name)] for name in ("kube-apiserver", "etcd", "coredns")}
    images |= {name: [istio.tag(name)] for name in ("pilot", "proxyv2")}
    return {"kubelet": [f"v{kubernetes.version}"], "speaker": [metallb.tag("speaker")], **images}
