"""The network: each cluster's part of the flat address space, and load-balancer addresses of machines."""

from __future__ import annotations

from components.build import Build
from components.network.load_balancer_pool import LoadBalancerPool
from components.network.pod_network import PodNetwork


def build(build: Build) -> None:
    """Every region's slices, and its pool of load-balancer addresses where it declares one."""
    for region, spec in sorted(build.environment.regions.items()):
        build.region_outputs[region] |= PodNetwork(build, region).outputs
        if spec.load_balancer is not None:
            build.load_balancers[region] = LoadBalancerPool(build, region, spec.load_balancer)
