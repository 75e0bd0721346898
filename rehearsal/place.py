"""Where the twin is: the lab's addresses, read from its own command's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

LOAD_BALANCER = (200, 249)
"""First and last of a lab's region that no machine has: its addresses for load balancers."""
_VIRTUAL = 250


@dataclass(frozen=True)
class RegionPlace:
    """Where one region's machines are."""

    network: IPv4Network
    router: IPv4Address
    machines: Mapping[str, IPv4Address]

    def load_balancer(self, size: int) -> dict[str, str]:
        """So many addresses for load balancers, as far as there are, in the form of the declaration."""
        first, last = LOAD_BALANCER
        ends = (first, min(last, first + size - 1))
        return {key: str(self.network[end]) for key, end in zip(("first", "last"), ends, strict=True)}

    @property
    def virtual(self) -> IPv4Address:
        """An address beside those of machines and of load balancers."""
        return self.network[_VIRTUAL]


@dataclass(frozen=True)
class Place:
    """A lab."""

    name: str
    network: IPv4Network
    regions: Mapping[str, RegionPlace]
    """By the declaration's names."""


def place(answer: Mapping[str, Any], names: Mapping[str, str]) -> Place:
    """Read the answer of `python -m lab addresses`. names: the declaration's name of each of its regions."""
    return Place(
        name=str(answer["name"]),
        network=IPv4Network(answer["network"]),
        regions={
            names[region]: RegionPlace(
                IPv4Network(found["subnet"]),
                IPv4Address(found["router"]),
                {machine: IPv4Address(address) for machine, address in found["machines"].items()},
            )
            for region, found in answer["regions"].items()
        },
    )
