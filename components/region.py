"""A region: its cluster, the cluster's addresses, and its edge hosts made ready."""

from __future__ import annotations

from ipaddress import IPv4Network

from pulumi import ComponentResource, Input, ResourceOptions

from components.adopted_cluster import AdoptedCluster
from components.bare_metal_cluster import BareMetalCluster
from components.cluster import Cluster
from components.hosts import Hosts
from components.load_balancer_pool import LoadBalancerPool
from components.pod_network import PodNetwork
from playbooks.provider.sdk import HostPhase
from playbooks.work.machines import PREPARE
from playbooks.work.names import EDGE
from stacks.load import Stack
from stacks.model import BareMetalClusterSpec, ClusterSpec


class Region(ComponentResource):
    """What a region has of its own, before the mesh spans all of them."""

    cluster: Cluster
    network: PodNetwork
    load_balancer: LoadBalancerPool | None
    """None where the cluster has load-balancer addresses of its own."""
    edges: dict[str, HostPhase]
    """Prepared edge hosts, by name."""

    def __init__(
        self,
        name: str,
        *,
        stack: Stack,
        hosts: Hosts,
        kubeconfig: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """kubeconfig: of an adopted cluster."""
        super().__init__("crossmesh:components:Region", name, {}, opts)
        spec = stack.environment.regions[name]
        own = ResourceOptions(parent=self)
        version = stack.environment.versions.kubernetes
        self.cluster = self._cluster(name, version, spec.cluster, hosts, kubeconfig)
        self.network = PodNetwork(
            name,
            cluster=self.cluster,
            pod_cidr=stack.pod_cidr(name),
            service_cidr=stack.service_cidr(name),
            nodes=_node_slices(stack, name),
            opts=own,
        )
        self.load_balancer = None
        if spec.load_balancer is not None:
            self.load_balancer = LoadBalancerPool(
                name, cluster=self.cluster, addresses=spec.load_balancer, crossmesh=hosts.crossmesh, opts=own
            )
        self.edges = {edge: hosts.declare(edge, PREPARE, parent=self) for edge in hosts.of(name, EDGE)}
        self.register_outputs({"api_server": self.cluster.api_server})

    def _cluster(
        self, name: str, version: str, spec: ClusterSpec, hosts: Hosts, kubeconfig: Input[str] | None
    ) -> Cluster:
        own = ResourceOptions(parent=self)
        if isinstance(spec, BareMetalClusterSpec):
            return BareMetalCluster(name, version=version, spec=spec, hosts=hosts, opts=own)
        if kubeconfig is None:
            raise ValueError(f"region '{name}': no kubeconfig is given for its adopted cluster")
        return AdoptedCluster(
            name, version=version, kubeconfig=kubeconfig, crossmesh=hosts.crossmesh, opts=own
        )


def _node_slices(stack: Stack, region: str) -> dict[str, IPv4Network]:
    spec = stack.environment.regions[region].cluster
    if not isinstance(spec, BareMetalClusterSpec):
        return {}
    return {node: stack.ledger.nodes[region][node] for node in spec.nodes}
