"""What the parent of a zone says of it: whom it names for it, and where these are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from access.errors import Unanswered

_ASKED = 3
"""Servers of the parent that are tried."""
_SECONDS = 2.0
"""For one of them."""
_WAY = "Look from a machine that resolves public names, and whose questions to port 53 are not redirected."


@dataclass(frozen=True)
class Delegation:
    """How a zone is delegated; by no server where it is not."""

    parent: str
    servers: tuple[str, ...] = ()
    """Names that the parent has for it, sorted, without the dot at their end."""
    glue: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """IPv4 addresses that the parent gives with them, by name."""


def delegation(zone: str, seconds: float = 10.0, port: int = 53) -> Delegation:
    """Ask the servers of the zone's parent, which this machine's resolver finds.

    Raises `Unanswered` where that cannot be learnt from here; a zone that is not delegated is an answer.
    """
    name, deadline = dns.name.from_text(zone), time.monotonic() + seconds
    parent, servers = _parent(name, deadline)
    met = "none of them has an address"
    for server in servers[:_ASKED]:
        try:
            address = str(_resolve(server, "A", deadline)[0])
            question = dns.message.make_query(name, "NS", flags=0)
            reply = dns.query.udp_with_fallback(question, address, timeout=_SECONDS, port=port)[0]
        except (OSError, EOFError, dns.exception.DNSException) as error:
            met = f"{server} does not answer: {error}"
            continue
        if reply.flags & dns.flags.RA or reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            met = f"{server} answers {dns.rcode.to_text(reply.rcode())}, or something does in its place"
            continue
        return _said(parent, name, reply)
    raise Unanswered(f"nobody of {_text(parent)}, the parent of {zone}, says who answers it: {met}", fix=_WAY)


def _parent(name: dns.name.Name, deadline: float) -> tuple[dns.name.Name, list[dns.name.Name]]:
    """The closest zone above a name, and its servers."""
    above = name
    while above != dns.name.root:
        above = above.parent()
        try:
            return above, sorted(record.target for record in _resolve(above, "NS", deadline))
        except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
            continue
        except (OSError, dns.exception.DNSException) as error:
            words = f"this machine's resolver does not say who answers {_text(above)}: {error}"
            raise Unanswered(words, fix=_WAY) from error
    raise Unanswered(f"this machine's resolver knows no zone above {_text(name)}", fix=_WAY)


def _resolve(name: dns.name.Name, kind: str, deadline: float) -> dns.resolver.Answer:
    left = deadline - time.monotonic()
    if left <= 0:
        raise dns.exception.Timeout
    return dns.resolver.resolve(name, kind, lifetime=min(left, 2 * _SECONDS))


def _said(parent: dns.name.Name, name: dns.name.Name, reply: dns.message.Message) -> Delegation:
    sets = [found for found in (*reply.answer, *reply.authority) if found.rdtype == dns.rdatatype.NS]
    servers = {_text(record.target) for found in sets if found.name == name for record in found}
    glue: dict[str, tuple[str, ...]] = {}
    for found in reply.additional:
        if found.rdtype == dns.rdatatype.A:
            glue[_text(found.name)] = tuple(sorted(str(IPv4Address(record.address)) for record in found))
    return Delegation(
        _text(parent) or ".",
        tuple(sorted(servers)),
        {key: told for key, told in glue.items() if key in servers},
    )


def _text(name: dns.name.Name) -> str:
    return str(name).removesuffix(".")
