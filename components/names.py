"""Names: DNS over the healthy regions, answered by the edge hosts of all regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pulumi import Input

from components import tokens
from components.build import Build
from components.component import Component
from playbooks.work.names import EDGE
from stacks.answers import INPUT, Answers

DNS_PORT = 53


class GlobalLoadBalancer(Component):
    """Name servers that answer with healthy regions' gateways only. Each decides from its own probes."""

    token = tokens.GLOBAL_LOAD_BALANCER

    nameservers: list[str]
    """`address:port` of every name server."""

    def __init__(self, build: Build, name: str) -> None:
        gateways: dict[str, Sequence[Input[str]]] = {}
        for region, control_plane in build.control_planes.items():
            # A declared address is known before the gateway has it: name servers need not wait for clusters.
            declared = build.environment.regions[region].gateway_addresses
            gateways[region] = list(map(str, declared)) or control_plane.gateway_addresses
        answers = Answers.of(build.environment, gateways)
        inputs = {INPUT: answers.to_inputs(), **_delegated(build)}
        super().__init__(name, parent=build.platform, declared=("globalLoadBalancer",), inputs=inputs)
        variables = {
            "gdnsd_ca_certificate": build.gateway_authority.certificate,
            "gdnsd_gateways": gateways,
            **_trust(build),
        }
        for region in build.environment.regions:
            for edge in build.hosts.of(region, EDGE):
                build.hosts.declare(edge, EDGE, parent=self, variables=variables)
        self.nameservers = [f"{server.address}:{DNS_PORT}" for server in answers.servers.values()]
        self.register_outputs({"nameservers": self.nameservers})


def _delegated(build: Build) -> dict[str, Any]:
    """That parents delegate to these servers, where it is declared: nothing but the doctor goes by it."""
    balancer = build.environment.global_load_balancer
    return {"delegated": True} if balancer and balancer.delegated else {}


def _trust(build: Build) -> dict[str, Any]:
    """What hosts with a given certificate are verified by; nothing where there are none."""
    environment = build.environment
    given = {
        exposed.example: build.certificates[name].ca
        for exposed in environment.exposed
        if (name := environment.certificate_of(exposed.host))
    }
    return {"gdnsd_trust": dict(sorted(given.items()))} if given else {}


def build(build: Build) -> None:
    """The name servers, where DNS is declared."""
    declared = build.environment.global_load_balancer is not None
    nameservers = GlobalLoadBalancer(build, "global-load-balancer").nameservers if declared else []
    build.outputs["nameservers"] = nameservers
