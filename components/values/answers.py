"""Who answers which names, and with what: declared once by the global load balancer, read from its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Any

from stacks.model import Environment

INPUT = "answers"
"""The component's input that holds them."""


@dataclass(frozen=True)
class Server:
    """A name server, which answers at an address, from a region."""

    address: str
    region: str


@dataclass(frozen=True)
class Health:
    """When a gateway is left out, and answered again: seconds, and probes in a row."""

    interval: int
    timeout: int
    down_threshold: int
    up_threshold: int


@dataclass(frozen=True)
class Answers:
    """What every server of a zone answers while all regions are healthy."""

    zone: str
    names: tuple[str, ...]
    """Sorted; below the zone."""
    ttl: int
    """Seconds that answers may be cached."""
    targets: Mapping[str, Any]
    """Each region's gateway: an address, or a host name as clouds give it. An output, or the engine's mark,
    while it is not known."""
    servers: Mapping[str, Server]
    """By host name below the zone."""
    health: Health

    @classmethod
    def of(cls, environment: Environment, targets: Mapping[str, Any]) -> Answers:
        """What an environment declares; it must have a global load balancer. targets: by region."""
        balancer = environment.global_load_balancer
        assert balancer is not None
        check = balancer.health_check
        return cls(
            zone=environment.domain,
            names=tuple(sorted({ingress.host for ingress in environment.ingresses.values()})),
            ttl=balancer.ttl,
            targets=dict(targets),
            servers={
                server: Server(str(host.address), region)
                for region, spec in sorted(environment.regions.items())
                for server, host in sorted(spec.edges.items())
            },
            health=Health(check.interval, check.timeout, check.down_threshold, check.up_threshold),
        )

    def to_inputs(self) -> dict[str, Any]:
        """As a component's input: plain values, and outputs where targets are."""
        return {
            "health": asdict(self.health),
            "names": list(self.names),
            "servers": {name: asdict(server) for name, server in sorted(self.servers.items())},
            "targets": dict(sorted(self.targets.items())),
            "ttl": self.ttl,
            "zone": self.zone,
        }

    @classmethod
    def from_inputs(cls, inputs: Mapping[str, Any]) -> Answers | None:
        """From a component's inputs, as a preview or a state has them; None where they hold no answers.

        Numbers may have become floats on their way.
        """
        value = inputs.get(INPUT)
        if not isinstance(value, Mapping):
            return None
        return cls(
            zone=str(value["zone"]),
            names=tuple(value["names"]),
            ttl=int(value["ttl"]),
            targets=dict(value["targets"]),
            servers={name: Server(**server) for name, server in value["servers"].items()},
            health=Health(**{key: int(number) for key, number in value["health"].items()}),
        )


def record_type(target: str) -> str:
    """`A` for an address, `CNAME` for a host name."""
    try:
        ip_address(target)
    except ValueError:
        return "CNAME"
    return "A"
