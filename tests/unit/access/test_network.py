"""Questions about names, to a name server on loopback."""

from __future__ import annotations

import dns.rcode
import dns.resolver
import pytest

from access import network
from access.outputs import GatewayAddress, NameServer
from tests.unit.live.checks.support import name_server

NAME = GatewayAddress.of("eu-1234.elb.example.com")


def ask_there(monkeypatch: pytest.MonkeyPatch, server: NameServer) -> None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [str(server.address)], server.port
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)


def test_a_gateway_s_name_is_resolved_with_its_time_to_live(monkeypatch: pytest.MonkeyPatch) -> None:
    with name_server(["10.0.0.2", "10.0.0.1"], 60) as server:
        ask_there(monkeypatch, server)
        assert network.resolve(NAME) == network.NameAnswer(("10.0.0.1", "10.0.0.2"), 60)


def test_a_name_that_leads_nowhere_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with name_server([], code=dns.rcode.NXDOMAIN) as server:
        ask_there(monkeypatch, server)
        answer = network.resolve(NAME)
    assert answer.addresses == ()
    assert "resolves to no address: The DNS query name does not exist" in answer.problem


def test_an_address_needs_no_resolver() -> None:
    assert network.resolve(GatewayAddress.of("10.0.0.1")) == network.NameAnswer(("10.0.0.1",), None)


def test_a_server_that_answers_with_another_name_leads_there() -> None:
    with name_server([f"{NAME}."], 5) as server:
        assert network.ask(server, "app.lab.test") == network.NameAnswer((str(NAME),), 5)
