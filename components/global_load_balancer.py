"""DNS over the healthy regions, answered by the edge hosts of all regions."""

from __future__ import annotations

from collections.abc import Mapping

from pulumi import ComponentResource, Input, ResourceOptions

from components.hosts import Hosts
from components.region import Region
from components.values.answers import INPUT, Answers
from playbooks.work.names import EDGE
from stacks.model import Environment

DNS_PORT = 53


class GlobalLoadBalancer(ComponentResource):
    """Name servers that answer with healthy regions' gateways only. Each decides from its own probes."""

    nameservers: list[str]
    """`address:port` of every name server."""

    def __init__(
        self,
        name: str,
        *,
        environment: Environment,
        regions: Mapping[str, Region],
        gateways: Mapping[str, Input[str]],
        hosts: Hosts,
        opts: ResourceOptions | None = None,
    ) -> None:
        """gateways: address of each region's ingress gateway."""
        answers = Answers.of(environment, gateways)
        super().__init__("crossmesh:components:GlobalLoadBalancer", name, {INPUT: answers.to_inputs()}, opts)
        for region in regions.values():
            for edge, prepared in region.edges.items():
                hosts.declare(
                    edge,
                    EDGE,
                    parent=self,
                    after=[prepared],
                    variables={"gdnsd_gateways": dict(gateways)},
                )
        self.nameservers = [f"{server.address}:{DNS_PORT}" for server in answers.servers.values()]
        self.register_outputs({"nameservers": self.nameservers})
