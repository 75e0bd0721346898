"""Gateways as clients reach them: by an address, or by a name, as clouds give it, resolved on the spot."""

from __future__ import annotations

from dataclasses import dataclass

from access import network
from access.outputs import GatewayAddress, Outputs
from components.manifests.mesh import STATUS_PORT

READY_PATH = "/healthz/ready"


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


def unready(gateway: Gateway, seconds: float = network.SECONDS) -> dict[str, str]:
    """Why a gateway does not answer that it is ready, by each address that says so; empty where all do."""
    if gateway.problem:
        return {str(gateway.address): gateway.problem}
    answers = {
        address: network.get_http(address, STATUS_PORT, READY_PATH, seconds=seconds)
        for address in gateway.resolved
    }
    return {
        address: answer.problem or f"it answers {answer.status}: {answer.body.strip()[:200]}"
        for address, answer in answers.items()
        if answer.status != 200
    }
