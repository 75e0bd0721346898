"""The network: each cluster's part of the flat address space, and load-balancer addresses of machines."""

from __future__ import annotations

from components.build import Build
from components.network.load_balancer_pool import LoadBalancerPool
from components.network.pod_network import PodNetwork
from stacks.model import BareMetalClusterSpec


def build(build: Build) -> None:
    """Every region's slices, and its pool of load-balancer addresses where it declares one."""
    stack = build.stack
    for region, spec in sorted(build.environment.regions.items()):
        nodes = spec.cluster.nodes if isinstance(spec.cluster, BareMetalClusterSpec) else {}
        network = PodNetwork(
            region,
            cluster=build.clusters[region],
            pod_cidr=stack.pod_cidr(region),
            service_cidr=stack.service_cidr(region),
            nodes={name: stack.ledger.nodes[region][name] for name in nodes},
            opts=build.below_region(region),
        )
        build.region_outputs[region] |= {
            "podCidr": network.pod_cidr,
            "serviceCidr": network.service_cidr,
            "nodes": {
                name: {"address": str(node.address), "podCidr": network.nodes[name]}
                for name, node in sorted(nodes.items())
            },
        }
        if spec.load_balancer is not None:
            build.load_balancers[region] = LoadBalancerPool(
                region,
                cluster=build.clusters[region],
                addresses=spec.load_balancer,
                version=build.environment.versions_of(region).metallb,
                crossmesh=build.crossmesh,
                opts=build.below_region(region),
            )
