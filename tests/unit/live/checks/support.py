"""Name servers and gateways on loopback, and pods that answer as they are told."""

from __future__ import annotations

import http.server
import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from cryptography import x509

from access.outputs import NameServer
from live.doctor.model import Watch
from live.doctor.platform import Platform
from live.doctor.probes import Answer
from tests.unit.operations.support import (
    HOST,
    Issued,
    issue,
    make_platform,
    raw_outputs,
)

CA = issue("gateway CA", ca=True)


LEAF = issue(HOST, CA, sans=(x509.DNSName(HOST),))


Answering = Callable[[str, str], tuple[int, dict[str, str]]]
"""An answer's status and document, for a host and a path."""
PATHS = {"/assetconsumer": "asset-consumer-svc", "/assetdashboard": "asset-dashboard-bff-svc"}


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def web(answer: Answering) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(self.headers["Host"], self.path)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler


@contextmanager
def over_tls(directory: Path, at: tuple[str, int], answer: Answering, leaf: Issued = LEAF) -> Iterator[int]:
    """An HTTPS server, and its port."""
    server = http.server.ThreadingHTTPServer(at, web(answer))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = directory / "pair.pem"
    pem.write_text(leaf.pem + leaf.key_pem)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server) as port:
        yield port


@contextmanager
def gateway(directory: Path, leaf: Issued = LEAF, services: dict[str, str] = PATHS) -> Iterator[int]:
    """An HTTPS server on a loopback port that answers as the reference solution does."""

    def answer(host: str, path: str) -> tuple[int, dict[str, str]]:
        service = services.get(path) if host == HOST else None
        return (200, {"service": service, "region": "eu", "pod": "p"}) if service else (404, {})

    with over_tls(directory, ("127.0.0.1", 0), answer, leaf) as port:
        yield port


@contextmanager
def name_server(
    addresses: list[str],
    ttl: int = 5,
    *,
    authoritative: bool = True,
    code: dns.rcode.Rcode = dns.rcode.NOERROR,
) -> Iterator[NameServer]:
    """An authoritative name server on one loopback port, UDP and TCP; a name as answer ends with a dot."""

    def reply(wire: bytes) -> bytes:
        question = dns.message.from_wire(wire)
        answer = dns.message.make_response(question)
        answer.set_rcode(code)
        if authoritative:
            answer.flags |= dns.flags.AA
        kind = "CNAME" if addresses and addresses[0].endswith(".") else "A"
        if addresses and code == dns.rcode.NOERROR:
            answer.answer.append(dns.rrset.from_text(question.question[0].name, ttl, "IN", kind, *addresses))
        return answer.to_wire()

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            sock.sendto(reply(data), self.client_address)

    class Tcp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            size = int.from_bytes(self.rfile.read(2), "big")
            answer = reply(self.rfile.read(size))
            self.wfile.write(len(answer).to_bytes(2, "big") + answer)

    def both() -> tuple[socketserver.UDPServer, socketserver.TCPServer]:
        """On one port, which others may take while it is free for one of them alone."""
        for _ in range(20):
            udp = socketserver.UDPServer(("127.0.0.1", 0), Udp)
            try:
                return udp, socketserver.TCPServer(udp.server_address, Tcp)
            except OSError:
                udp.server_close()
        raise AssertionError("no port is free for both")

    udp, tcp = both()
    with serving(udp) as port, serving(tcp):
        yield NameServer(IPv4Address("127.0.0.1"), port)


def platform_of(servers: list[NameServer], gateways: Mapping[str, str | list[str]]) -> Platform:
    """gateways: the address of each region's, or several."""
    regions = raw_outputs()["regions"]
    for region, told in gateways.items():
        regions[region]["gatewayAddresses"] = [told] if isinstance(told, str) else told
    return make_platform(
        nameservers=[str(server) for server in servers], regions=regions, caCertificate=CA.pem
    )


GATEWAYS = {"eu": "127.0.0.1", "us": "127.0.0.2"}


class FakeProbe:
    def __init__(self, address: str, answer: Answer) -> None:
        self.address = address
        self._answer = answer

    def get(self, url: str) -> Answer:
        return self._answer


class FakeProbes:
    def __init__(self, address: str, outside: Answer, inside: Answer | None = None) -> None:
        self._outside, self._inside = FakeProbe(address, outside), FakeProbe(address, inside or outside)

    def ready(self, role: str, watch: Watch) -> FakeProbe:
        return self._outside if role == "outside" else self._inside
