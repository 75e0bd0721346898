"""Ask a platform as its clients do: the name servers where a host is, then the gateways that they name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from access import network
from access.outputs import GatewayAddress, NameServer, Outputs

_SHOWN = 300
"""Characters of a body that are shown."""


@dataclass(frozen=True)
class Reply:
    """What one name server or gateway said. `well`: it is an answer that a client can use."""

    who: str
    words: str
    well: bool


def ask(outputs: Outputs, url: str) -> Iterator[Reply]:
    """Ask for `url`, step by step. Where there are no name servers, the gateways of all regions are asked.

    An answer of a gateway is well below status 400. Never raises for what servers do.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    gateways = {address for output in outputs.regions.values() for address in output.gateway_addresses}
    if outputs.nameservers:
        gateways = set()
        for server in outputs.nameservers:
            reply, named = _ask_name_server(server, host)
            gateways |= named
            yield reply
    context = network.trusting(outputs.authorities_of(host))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    for address in sorted({one for gateway in gateways for one in network.resolve(gateway).records}):
        answer = network.get_https(address, host, path, context)
        body = " ".join(answer.body.split())[:_SHOWN]
        words = answer.problem or f"{answer.status} {body}".rstrip()
        yield Reply(address, words, 0 < answer.status < 400)


def _ask_name_server(server: NameServer, host: str) -> tuple[Reply, set[GatewayAddress]]:
    answer = network.ask(server, host)
    if answer.problem:
        return Reply(str(server), f"{host}: {answer.problem}", False), set()
    words = f"{host} is {', '.join(answer.records)}, for {answer.ttl} s"
    return Reply(str(server), words, True), {GatewayAddress.of(address) for address in answer.records}
