"""The addresses that clients are led to for a host."""

from __future__ import annotations

from access import network
from access.outputs import GatewayAddress
from live.doctor.model import NotMeasurable, Watch
from live.doctor.platform import Platform
from live.gateways import gateways_of


def answers(platform: Platform, host: str, watch: Watch, *, dns: bool) -> list[str]:
    """Every address that clients are led to: by any name server, or of all gateways where others answer.

    host: a name; of a wildcard, one that it covers. dns: whether the name servers answer it. Raises
    `NotMeasurable` where there are none.
    """
    if not dns or platform.stack.environment.global_load_balancer is None:
        found = {address for gateway in gateways_of(platform.outputs) for address in gateway.resolved}
        if not found:
            raise NotMeasurable("no gateway has an address", "See the checks of the gateways.")
        return sorted(found)
    addresses: set[str] = set()
    for server in platform.outputs.nameservers:
        watch.at(f"{server} for {host}")
        for answered in network.ask(server, host, seconds=2).records:
            addresses.update(network.resolve(GatewayAddress.of(answered), seconds=2).records)
    if not addresses:
        raise NotMeasurable("no name server answers with an address", "See the checks of the name servers.")
    return sorted(addresses)
