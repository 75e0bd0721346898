"""Gateways as clients reach them: by an address, or by a name, as clouds give it, resolved on the spot."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from access import network
from access.network import Trust
from access.outputs import GatewayAddress, Outputs
from live.doctor.platform import Platform
from stacks.model import HTTPS_PORT

NOBODY_BEHIND = frozenset({502, 503, 504})
"""Answers of a gateway that reaches no application."""


@dataclass(frozen=True)
class Gateway:
    """One region's gateway."""

    region: str
    addresses: tuple[GatewayAddress, ...]
    """Where it is reached, as it is told to others."""
    resolved: tuple[str, ...]
    """IPv4 addresses that it is reached by."""
    problem: str = ""
    """Why there are none."""

    def __str__(self) -> str:
        told = ", ".join(map(str, self.addresses))
        return f"{told}, resolved to {', '.join(self.resolved) or 'nothing'}" if self.has_names else told

    @property
    def is_one_address(self) -> bool:
        """Whether it is reached at one address and no other, now and later."""
        return len(self.addresses) == 1 and not self.has_names

    @property
    def has_names(self) -> bool:
        """Whether a cloud gave it a host name."""
        return any(address.is_name for address in self.addresses)

    @property
    def targets(self) -> tuple[str, ...]:
        """What a name server may answer to lead clients to it."""
        return tuple(dict.fromkeys([*self.resolved, *map(str, self.addresses)]))


def gateway_of(outputs: Outputs, region: str) -> Gateway | None:
    """A region's gateway, resolved now; None where it has no address yet."""
    output = outputs.regions.get(region)
    return resolved(region, output.gateway_addresses) if output and output.gateway_addresses else None


def resolved(region: str, addresses: Iterable[GatewayAddress]) -> Gateway:
    """The gateway of a region, with what its names lead to now."""
    told = tuple(addresses)
    answers = [network.resolve(address) for address in told]
    records = dict.fromkeys(record for answer in answers for record in answer.records)
    return Gateway(region, told, tuple(records), "; ".join(filter(None, (each.problem for each in answers))))


def gateways_of(outputs: Outputs) -> list[Gateway]:
    """All gateways that have addresses, in the order of their regions."""
    return [gateway for region in sorted(outputs.regions) if (gateway := gateway_of(outputs, region))]


def owners(gateways: list[Gateway]) -> dict[str, str]:
    """The region of everything that a name server may answer."""
    return {target: gateway.region for gateway in gateways for target in gateway.targets}


def unready(platform: Platform, gateway: Gateway, seconds: float = network.SECONDS) -> dict[str, str]:
    """Why a gateway does not serve clients, by each of its addresses of which that is so.

    It is judged as the edge hosts' probers judge it, of which clients are sent where: one declared name and
    path that it serves are enough. seconds: for each address.
    """
    if gateway.problem:
        return {", ".join(map(str, gateway.addresses)): gateway.problem}
    trust = Trust(platform.outputs)
    requests = [(exposed.example, path) for exposed in platform.exposed for path in exposed.asked]
    found = {address: _unserved(address, requests, trust, seconds) for address in gateway.resolved}
    return {address: why for address, why in found.items() if why}


def _unserved(address: str, requests: list[tuple[str, str]], trust: Trust, seconds: float) -> str:
    """What the first request met where none is served; empty where one is, or there are none."""
    met, deadline = "", time.monotonic() + seconds
    for host, path in requests:
        if (left := deadline - time.monotonic()) <= 0:
            break
        answer = network.get_https(address, host, path, trust.of(host), port=HTTPS_PORT, seconds=left)
        if answer.status and answer.status not in NOBODY_BEHIND:
            return ""
        said = answer.problem or f"it answers {answer.status}: {answer.body.strip()[:200]}"
        met = met or f"{said} (https://{host}{path})"
    return met
