"""Who answers which names, and with what: declared once by the global load balancer, read from its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from ipaddress import ip_address
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from stacks.model import Environment, HealthCheck
from stacks.routing import Routing, Tiers, by_host, everyone, routings

INPUT = "answers"
"""The component's input that holds them."""


@dataclass(frozen=True)
class Server:
    """A name server, which answers at an address, from a region."""

    address: str
    region: str


def _listed(targets: Mapping[str, Any]) -> dict[str, list[Any]]:
    """As states of before a region had several have them too: one target, not in a list."""
    return {region: each if isinstance(each, list) else [each] for region, each in targets.items()}


@dataclass(frozen=True)
class Answers:
    """What every server of a zone answers while all regions are healthy."""

    zone: str
    names: tuple[str, ...]
    """Sorted, wildcards among them; of the zones."""
    ttl: int
    """Seconds that answers may be cached."""
    targets: Annotated[Mapping[str, Sequence[Any]], BeforeValidator(_listed)]
    """Where each region's gateway is reached: addresses, or a host name as clouds give it. An output, or the
    engine's mark, while it is not known."""
    servers: Mapping[str, Server]
    """By host name below the zone."""
    health: HealthCheck
    further_zones: tuple[str, ...] = ()
    """Other zones of the same servers, whose names are of `zone` as well."""
    routings: tuple[Routing, ...] = ()
    """Where clients are led to; hosts of none are answered with all healthy regions."""

    @property
    def zones(self) -> tuple[str, ...]:
        """All zones, the servers' own first."""
        return (self.zone, *self.further_zones)

    def targets_of(self, name: str) -> Mapping[str, Sequence[Any]]:
        """What a name is answered with, by region.

        Where it is a zone's own, DNS allows no alias: of the gateways, those with addresses are answered.
        What is drained is not.
        """
        routing = self.routing_of(name)
        if routing is not None:
            return {region: told for region, told in self.targets.items() if region in routing.regions}
        if name not in self.zones:
            return self.targets
        addresses = {
            region: [target for target in targets if not is_name(target)]
            for region, targets in self.targets.items()
        }
        return {region: targets for region, targets in addresses.items() if targets}

    def tiers_of(self, name: str, kind: str) -> Tiers:
        """The order of regions for clients of a kind (`Routing.kinds`) that ask for a name."""
        routing = self.routing_of(name)
        return routing.of(routing.place_of(kind)) if routing else everyone(self.targets)

    def routing_of(self, name: str) -> Routing | None:
        """The policy of a name; None where it has none."""
        return by_host(self.routings).get(name)

    @classmethod
    def of(cls, environment: Environment, targets: Mapping[str, Sequence[Any]]) -> Answers:
        """What an environment declares; it must have a global load balancer. targets: by region."""
        balancer = environment.global_load_balancer
        assert balancer is not None
        return cls(
            zone=environment.domain,
            further_zones=environment.domains,
            names=tuple(sorted(host for hosts in environment.names.values() for host in hosts)),
            ttl=balancer.ttl,
            targets=dict(targets),
            servers={
                server: Server(str(host.address), region)
                for region, spec in sorted(environment.regions.items())
                for server, host in sorted(spec.edges.items())
            },
            health=balancer.health_check,
            routings=routings(environment),
        )

    def to_inputs(self) -> dict[str, Any]:
        """As a component's input: plain values, and outputs where targets are."""
        # Without a policy, states are what they were before there were any.
        policies = {"routings": [_plain(asdict(each)) for each in self.routings]} if self.routings else {}
        return {
            **policies,
            "further_zones": list(self.further_zones),
            "health": self.health.settings,
            "names": list(self.names),
            "servers": {name: asdict(server) for name, server in sorted(self.servers.items())},
            "targets": {region: list(targets) for region, targets in sorted(self.targets.items())},
            "ttl": self.ttl,
            "zone": self.zone,
        }

    @classmethod
    def from_inputs(cls, inputs: Mapping[str, Any]) -> Answers | None:
        """From a component's inputs, as a preview or a state has them; None where they hold no answers."""
        value = inputs.get(INPUT)
        return cls(**value) if isinstance(value, Mapping) else None


def _plain(value: Any) -> Any:
    """With lists where the engine knows no tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def is_name(target: Any) -> bool:
    """Whether a target is a host name. What the engine marks a value with that is not known has no dots."""
    return isinstance(target, str) and "." in target and record_type(target) == "CNAME"


def record_type(target: str) -> str:
    """`A` for an address, `CNAME` for a host name."""
    try:
        ip_address(target)
    except ValueError:
        return "CNAME"
    return "A"
