"""A cluster's part of the flat address space.

The slices themselves are the ledger's, and the hosts' phases bring them to the nodes. This is their record in
the graph and in the cluster.
"""

from __future__ import annotations

from typing import Any

from pulumi import Input

from components import tokens
from components.build import Build
from components.component import Component
from components.kubernetes_object import declare
from components.manifests import network


class PodNetwork(Component):
    """The slices of one cluster and of its nodes."""

    token = tokens.POD_NETWORK

    outputs: dict[str, Input[Any]]
    """What the output `regions` tells of them. Adopted clusters assign their nodes' slices themselves."""

    def __init__(self, build: Build, region: str) -> None:
        declared, stack = ("regions", region, "cluster"), build.stack
        super().__init__(region, parent=build.regions[region], region=region, declared=declared)
        nodes = sorted(build.environment.regions[region].nodes.items())
        pods, services = str(stack.pod_cidr(region)), str(stack.service_cidr(region))
        slices = {name: str(stack.ledger.nodes[region][name]) for name, _ in nodes}
        manifest = network.slices(region, pods, services, slices)
        declare(manifest, parent=self, cluster=build.clusters[region])
        told = {name: {"address": str(node.address), "podCidr": slices[name]} for name, node in nodes}
        self.outputs = {"podCidr": pods, "serviceCidr": services, "nodes": told}
        self.register_outputs({"pod_cidr": pods, "service_cidr": services, "nodes": slices})
