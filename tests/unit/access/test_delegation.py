"""What a zone's parent says of it, asked of a parent on loopback."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from access.delegation import Delegation, delegation
from access.errors import Unanswered


@contextmanager
def parent(*, code: dns.rcode.Rcode = dns.rcode.NOERROR, flags: int = 0, named: bool = True) -> Iterator[int]:
    """A server of org, which delegates example.org; its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            packet, sock = self.request
            reply = dns.message.make_response(dns.message.from_wire(packet))
            reply.flags |= flags
            reply.set_rcode(code)
            if named:
                reply.authority.append(
                    dns.rrset.from_text("example.org.", 60, "IN", "NS", "b.example.org.", "a.example.org.")
                )
                reply.additional.append(dns.rrset.from_text("a.example.org.", 60, "IN", "A", "192.0.2.1"))
            sock.sendto(reply.to_wire(), self.client_address)

    with socketserver.UDPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], Any]:
    """What this machine's resolver says, by name and kind."""
    said: dict[tuple[str, str], Any] = {
        ("org.", "NS"): [SimpleNamespace(target=dns.name.from_text("ns.org"))],
        ("ns.org.", "A"): ["127.0.0.1"],
    }

    def resolve(name: dns.name.Name, kind: str, **_: object) -> Any:
        found = said.get((str(name), kind), dns.resolver.NoAnswer)
        if not isinstance(found, list):
            raise found
        return found

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    return said


def test_a_parent_names_servers_and_where_they_are(resolver: dict[tuple[str, str], Any]) -> None:
    with parent() as port:
        found = delegation("example.org", port=port)
    assert found == Delegation("org", ("a.example.org", "b.example.org"), {"a.example.org": ("192.0.2.1",)})


def test_a_zone_that_is_not_delegated_is_an_answer(resolver: dict[tuple[str, str], Any]) -> None:
    with parent(code=dns.rcode.NXDOMAIN, flags=dns.flags.AA, named=False) as port:
        assert delegation("example.org", port=port) == Delegation("org")


def test_the_closest_zone_above_is_the_parent(resolver: dict[tuple[str, str], Any]) -> None:
    resolver["mesh.example.org.", "NS"] = dns.resolver.NXDOMAIN
    with parent(named=False) as port:
        assert delegation("eu.mesh.example.org", port=port).parent == "org"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({("org.", "NS"): dns.exception.Timeout}, "does not say who answers org"),
        ({("org.", "NS"): dns.resolver.NoAnswer}, "knows no zone above example.org"),
        ({("ns.org.", "A"): dns.exception.Timeout}, "ns.org. does not answer"),
    ],
)
def test_what_cannot_be_learnt_from_here_is_no_answer(
    resolver: dict[tuple[str, str], Any], changes: dict[tuple[str, str], Any], words: str
) -> None:
    resolver.update(changes)
    with pytest.raises(Unanswered, match=words):
        delegation("example.org", port=1)


def test_who_asks_others_in_the_parent_s_place_is_no_parent(resolver: dict[tuple[str, str], Any]) -> None:
    with parent(flags=dns.flags.RA) as port, pytest.raises(Unanswered, match="in its place"):
        delegation("example.org", port=port)
