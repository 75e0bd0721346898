"""A cluster's part of the flat address space.

The slices themselves are the ledger's, and the hosts' phases bring them to the nodes. This is their record in
the graph and in the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network

from pulumi import ResourceOptions

from components import tokens
from components.cluster import Cluster
from components.component import Component
from components.kubernetes_object import declare
from components.manifests import network


class PodNetwork(Component):
    """The slices of one cluster and of its nodes."""

    token = tokens.POD_NETWORK

    pod_cidr: str
    """The cluster's slice of the pod pool."""
    service_cidr: str
    """The cluster's slice of the service pool."""
    nodes: dict[str, str]
    """Each node's slice, by name; empty for adopted clusters, which assign their own."""

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        pod_cidr: IPv4Network,
        service_cidr: IPv4Network,
        nodes: Mapping[str, IPv4Network],
        opts: ResourceOptions | None = None,
    ) -> None:
        """name: of the region."""
        super().__init__(name, region=name, declared=("regions", name, "cluster"), opts=opts)
        self.pod_cidr, self.service_cidr = str(pod_cidr), str(service_cidr)
        self.nodes = {node: str(node_slice) for node, node_slice in sorted(nodes.items())}
        declare(
            network.slices(name, self.pod_cidr, self.service_cidr, self.nodes), parent=self, cluster=cluster
        )
        self.register_outputs(
            {"pod_cidr": self.pod_cidr, "service_cidr": self.service_cidr, "nodes": self.nodes}
        )
