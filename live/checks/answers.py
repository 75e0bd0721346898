"""The addresses that clients are led to for a host."""

from __future__ import annotations

from collections.abc import Iterator

from access import network
from access.outputs import GatewayAddress
from live.doctor.model import NotMeasurable, Watch
from live.doctor.platform import Platform
from live.gateways import gateways_of, owners


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


def through(
    platform: Platform, host: str, path: str, watch: Watch, *, dns: bool, port: int
) -> Iterator[tuple[str, network.WebAnswer]]:
    """What is answered for a path over HTTPS, through every address that clients are led to, each in words.

    As `answers`; `NotMeasurable` comes before the first.
    """
    context = network.trusting(platform.outputs.authorities_of(host))
    watch.at("the gateways' names")
    regions = owners(gateways_of(platform.outputs))
    for address in answers(platform, host, watch, dns=dns):
        watch.at(f"https://{host}{path} through {address}")
        answer = network.get_https(address, host, path, context, port=port)
        yield f"{address} ({regions.get(address, 'no region of ours')})", answer
