"""Questions to name servers and gateways on loopback."""

from __future__ import annotations

import select
import socket
import socketserver
from ipaddress import IPv4Address
from pathlib import Path

import dns.rcode
import dns.resolver
import pytest
from cryptography import x509

from access import network
from access.errors import Unanswered
from access.network import NotServed
from access.outputs import GatewayAddress, NameServer
from tests.unit.live.checks.support import CA, LEAF, gateway, name_server, serving
from tests.unit.operations.support import HOST, issue

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
    assert answer.records == ()
    assert "resolves to no address: The DNS query name does not exist" in answer.problem


def test_an_address_needs_no_resolver() -> None:
    assert network.resolve(GatewayAddress.of("10.0.0.1")) == network.NameAnswer(("10.0.0.1",), None)


def test_a_server_that_answers_with_another_name_leads_there() -> None:
    with name_server([f"{NAME}."], 5) as server:
        assert network.ask(server, "app.lab.test") == network.NameAnswer((str(NAME),), 5)


def test_a_request_is_led_to_an_address_and_is_about_the_name(tmp_path: Path) -> None:
    trusted = network.trusting(CA.pem)
    with gateway(tmp_path) as port:
        answer = network.get_https("127.0.0.1", HOST, "/assetconsumer", trusted, port=port)
        assert (answer.status, answer.document["service"]) == (200, "asset-consumer-svc")
        other = network.get_https("127.0.0.1", "other.lab.test", "/", trusted, port=port)
    assert other.status == 0
    assert other.problem.startswith("its certificate is refused: Hostname mismatch")


def test_a_request_that_nobody_answers_says_why() -> None:
    answer = network.get_http("127.0.0.1", 1, "/")
    assert (answer.status, answer.document) == (0, {})
    assert "Connection refused" in answer.problem


def test_a_host_without_a_name_server_is_told_from_one_that_is_silent() -> None:
    with name_server([]) as server:
        pass
    for tcp in (False, True):
        assert isinstance(network.ask(server, "app.lab.test", tcp=tcp, seconds=0.4).failure, NotServed)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = NameServer(IPv4Address("127.0.0.1"), silent.getsockname()[1])
        for tcp in (False, True):
            assert isinstance(network.ask(address, "app.lab.test", tcp=tcp, seconds=0.4).failure, Unanswered)


def test_a_certificate_is_shown_though_it_has_ended_and_nobody_is_trusted(tmp_path: Path) -> None:
    ended = issue(HOST, days=-1, age=30)
    with gateway(tmp_path, ended) as port:
        shown = network.shown_certificate("127.0.0.1", port, name=HOST)
    assert x509.load_der_x509_certificate(shown) == ended.certificate


class Tunnel(socketserver.StreamRequestHandler):
    """An HTTP proxy that leads where it is told, for who has its password."""

    def handle(self) -> None:
        head = b"".join(iter(self.rfile.readline, b"\r\n")).decode()
        if "Proxy-Authorization: Basic bWU6cEBzcw==" not in head:
            self.wfile.write(b"HTTP/1.1 407 Who are you\r\n\r\n")
            return
        host, port = head.split()[1].split(":")
        with socket.create_connection((host, int(port))) as there:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            self.wfile.flush()
            ways = {self.connection: there, there: self.connection}
            while True:
                for ready in select.select(list(ways), [], [], 5)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    ways[ready].sendall(data)


def test_a_certificate_is_shown_through_a_proxy(tmp_path: Path) -> None:
    proxy = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel)
    with gateway(tmp_path) as port, serving(proxy) as at:
        shown = network.shown_certificate("127.0.0.1", port, proxy=f"http://me:p%40ss@127.0.0.1:{at}")
        with pytest.raises(OSError, match="407"):
            network.shown_certificate("127.0.0.1", port, proxy=f"http://127.0.0.1:{at}")
    assert x509.load_der_x509_certificate(shown) == LEAF.certificate
    with pytest.raises(OSError, match="by TLS"):
        network.shown_certificate("127.0.0.1", port, proxy="https://127.0.0.1:1")
