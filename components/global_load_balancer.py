"""DNS over the healthy regions, answered by the edge hosts of all regions."""

from __future__ import annotations

from collections.abc import Mapping

from pulumi import ComponentResource, Input, ResourceOptions

from components.hosts import Hosts
from components.region import Region
from playbooks.inventory import Phase
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
        super().__init__("crossmesh:components:GlobalLoadBalancer", name, {}, opts)
        for region in regions.values():
            for edge, prepared in region.edges.items():
                hosts.declare(
                    edge,
                    Phase.EDGE,
                    parent=self,
                    after=[prepared],
                    variables={"gdnsd_gateways": dict(gateways)},
                )
        self.nameservers = [
            f"{edge.address}:{DNS_PORT}"
            for _, spec in sorted(environment.regions.items())
            for _, edge in sorted(spec.edges.items())
        ]
        self.register_outputs({"nameservers": self.nameservers})
