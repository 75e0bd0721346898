"""Gateways as clients reach them: by an address, or by a name, as clouds give it, resolved on the spot."""

from __future__ import annotations

import time
from dataclasses import dataclass
from ssl import SSLContext

from access import network
from access.outputs import GatewayAddress, Outputs
from components.manifests.mesh import HTTPS_PORT
from live.doctor.platform import Platform

NOBODY_BEHIND = frozenset({502, 503, 504})
"""Answers of a gateway that reaches no application."""


@dataclass(frozen=True)
class Gateway:
    """One region's gateway."""

    region: str
    address: GatewayAddress
    resolved: tuple[str, ...]
    """IPv4 addresses that it is reached by."""
    problem: str = ""
    """Why there are none."""

    def __str__(self) -> str:
        if not self.address.is_name:
            return str(self.address)
        return f"{self.address}, resolved to {', '.join(self.resolved) or 'nothing'}"

    @property
    def targets(self) -> tuple[str, ...]:
        """What a name server may answer to lead clients to it."""
        return tuple(dict.fromkeys([*self.resolved, str(self.address)]))


def gateway_of(outputs: Outputs, region: str) -> Gateway | None:
    """A region's gateway, resolved now; None where it has no address yet."""
    output = outputs.regions.get(region)
    return resolved(region, output.gateway_address) if output and output.gateway_address else None


def resolved(region: str, address: GatewayAddress) -> Gateway:
    """The gateway of a region, with what its name leads to now."""
    answer = network.resolve(address)
    return Gateway(region, address, answer.records, answer.problem)


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
        return {str(gateway.address): gateway.problem}
    context = network.trusting(platform.outputs.ca_certificate)
    requests = [(spec.example, entry.path) for spec in platform.ingresses.values() for entry in spec.paths]
    found = {address: _unserved(address, requests, context, seconds) for address in gateway.resolved}
    return {address: why for address, why in found.items() if why}


def _unserved(address: str, requests: list[tuple[str, str]], context: SSLContext, seconds: float) -> str:
    """What the first request met where none is served; empty where one is, or there are none."""
    met, deadline = "", time.monotonic() + seconds
    for host, path in requests:
        if (left := deadline - time.monotonic()) <= 0:
            break
        answer = network.get_https(address, host, path, context, port=HTTPS_PORT, seconds=left)
        if answer.status and answer.status not in NOBODY_BEHIND:
            return ""
        said = answer.problem or f"it answers {answer.status}: {answer.body.strip()[:200]}"
        met = met or f"{said} (https://{host}{path})"
    return met
