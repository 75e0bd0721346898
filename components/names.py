"""Names: DNS over the healthy regions, answered by the edge hosts of all regions."""

from __future__ import annotations

from collections.abc import Mapping

from pulumi import Input, ResourceOptions

from components import tokens
from components.build import Build
from components.component import Component
from components.machines import Hosts
from components.values.answers import INPUT, Answers
from playbooks.work.names import EDGE
from stacks.model import Environment

DNS_PORT = 53


class GlobalLoadBalancer(Component):
    """Name servers that answer with healthy regions' gateways only. Each decides from its own probes."""

    token = tokens.GLOBAL_LOAD_BALANCER

    nameservers: list[str]
    """`address:port` of every name server."""

    def __init__(
        self,
        name: str,
        *,
        environment: Environment,
        gateways: Mapping[str, Input[str]],
        hosts: Hosts,
        opts: ResourceOptions | None = None,
    ) -> None:
        """gateways: address of each region's ingress gateway. hosts: edge hosts are prepared already."""
        answers = Answers.of(environment, gateways)
        inputs = {INPUT: answers.to_inputs()}
        super().__init__(name, declared=("globalLoadBalancer",), inputs=inputs, opts=opts)
        for region in environment.regions:
            for edge in hosts.of(region, EDGE):
                hosts.declare(edge, EDGE, parent=self, variables={"gdnsd_gateways": dict(gateways)})
        self.nameservers = [f"{server.address}:{DNS_PORT}" for server in answers.servers.values()]
        self.register_outputs({"nameservers": self.nameservers})


def build(build: Build) -> None:
    """The name servers, where DNS is declared."""
    build.outputs["nameservers"] = []
    if build.environment.global_load_balancer is None:
        return
    gateways: dict[str, Input[str]] = {}
    for region, control_plane in build.control_planes.items():
        # A declared address is known before the gateway has it, so name servers need not wait for clusters.
        pool = build.load_balancers.get(region)
        gateways[region] = pool.first_address if pool else control_plane.gateway_address
    balancer = GlobalLoadBalancer(
        "global-load-balancer",
        environment=build.environment,
        gateways=gateways,
        hosts=build.hosts,
        opts=build.below_platform,
    )
    build.outputs["nameservers"] = balancer.nameservers
