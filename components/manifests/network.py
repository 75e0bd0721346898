"""What a cluster is told of its own address slices."""

from __future__ import annotations

import json
from collections.abc import Mapping

from components.manifests import Manifest, named


def slices(region: str, pod_cidr: str, service_cidr: str, nodes: Mapping[str, str]) -> Manifest:
    """The cluster's slices of the flat address space, for those inside it who have no stack file."""
    return named(
        "v1",
        "ConfigMap",
        "crossmesh-pod-network",
        "kube-system",
        data={
            "nodes": json.dumps(dict(sorted(nodes.items()))),
            "podCidr": pod_cidr,
            "region": region,
            "serviceCidr": service_cidr,
        },
    )
