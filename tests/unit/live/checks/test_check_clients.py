"""Checks that ask name servers and gateways, against real ones on loopback."""

from __future__ import annotations

import http.server
import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from cryptography import x509

from access import network
from access.outputs import NameServer
from live.checks import names, requests
from live.doctor.model import NotMeasurable, Status
from live.doctor.platform import Platform
from tests.unit.operations.support import HOST, Issued, issue, make_platform, raw_outputs, run

CA = issue("gateway CA", ca=True)
LEAF = issue(HOST, CA, sans=(x509.DNSName(HOST),))
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


def web(answer: Callable[[str, str], tuple[int, dict[str, str]]]) -> type[http.server.BaseHTTPRequestHandler]:
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
def gateway(directory: Path, leaf: Issued = LEAF, services: dict[str, str] = PATHS) -> Iterator[int]:
    """An HTTPS server on a loopback port that answers as the reference solution does."""

    def answer(host: str, path: str) -> tuple[int, dict[str, str]]:
        service = services.get(path) if host == HOST else None
        return (200, {"service": service, "region": "eu", "pod": "p"}) if service else (404, {})

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), web(answer))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = directory / "pair.pem"
    pem.write_text(leaf.pem + leaf.key_pem)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server) as port:
        yield port


@contextmanager
def name_server(
    addresses: list[str],
    ttl: int = 5,
    *,
    authoritative: bool = True,
    code: dns.rcode.Rcode = dns.rcode.NOERROR,
) -> Iterator[NameServer]:
    """An authoritative name server on one loopback port, UDP and TCP."""

    def reply(wire: bytes) -> bytes:
        question = dns.message.from_wire(wire)
        answer = dns.message.make_response(question)
        answer.set_rcode(code)
        if authoritative:
            answer.flags |= dns.flags.AA
        if addresses and code == dns.rcode.NOERROR:
            answer.answer.append(dns.rrset.from_text(question.question[0].name, ttl, "IN", "A", *addresses))
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

    udp = socketserver.UDPServer(("127.0.0.1", 0), Udp)
    tcp = socketserver.TCPServer(udp.server_address, Tcp)
    with serving(udp) as port, serving(tcp):
        yield NameServer(IPv4Address("127.0.0.1"), port)


def platform_of(servers: list[NameServer], gateways: dict[str, str]) -> Platform:
    regions = raw_outputs()["regions"]
    for region, address in gateways.items():
        regions[region]["gatewayAddress"] = address
    return make_platform(
        nameservers=[str(server) for server in servers], regions=regions, caCertificate=CA.pem
    )


GATEWAYS = {"eu": "127.0.0.1", "us": "127.0.0.2"}


@pytest.fixture
def readiness(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Readiness ports of both regions' gateways; the test says what each answers."""
    status = {"eu": 200, "us": 200}
    with ExitStack() as stack:
        first = http.server.ThreadingHTTPServer(("127.0.0.1", 0), web(lambda host, path: (status["eu"], {})))
        port = stack.enter_context(serving(first))
        second = http.server.ThreadingHTTPServer(
            ("127.0.0.2", port), web(lambda host, path: (status["us"], {}))
        )
        stack.enter_context(serving(second))
        monkeypatch.setattr(names, "GATEWAY_READINESS_PORT", port)
        yield status


def test_a_name_server_that_names_healthy_gateways_is_ok(readiness: dict[str, int]) -> None:
    with name_server(["127.0.0.1", "127.0.0.2"]) as server:
        finding = run(names.check_name_server, platform_of([server], GATEWAYS), server)
    assert finding.status is Status.OK, finding
    assert "127.0.0.1 (eu)" in finding.measured


def test_a_name_server_that_names_a_gateway_that_is_down_fails(readiness: dict[str, int]) -> None:
    readiness["eu"] = 503
    with name_server(["127.0.0.1"]) as server:
        finding = run(names.check_name_server, platform_of([server], GATEWAYS), server)
    assert finding.status is Status.FAILED
    assert "sends clients to eu" in finding.explanation


@pytest.mark.parametrize(
    ("addresses", "ttl", "authoritative", "code", "words"),
    [
        (["127.0.0.9"], 5, True, dns.rcode.NOERROR, "no region's gateway"),
        (["127.0.0.1"], 300, True, dns.rcode.NOERROR, "TTL 300 s is longer than 5 s"),
        ([], 5, True, dns.rcode.NOERROR, "holds no address"),
        (["127.0.0.1"], 5, False, dns.rcode.NOERROR, "not authoritative"),
        (["127.0.0.1"], 5, True, dns.rcode.SERVFAIL, "SERVFAIL"),
    ],
)
def test_a_wrong_answer_of_a_name_server_is_named(
    readiness: dict[str, int],
    addresses: list[str],
    ttl: int,
    authoritative: bool,
    code: dns.rcode.Rcode,
    words: str,
) -> None:
    with name_server(addresses, ttl, authoritative=authoritative, code=code) as server:
        finding = run(names.check_name_server, platform_of([server], GATEWAYS), server)
    assert finding.status is Status.FAILED
    assert words in finding.explanation


def test_a_name_server_that_does_not_answer_says_so(readiness: dict[str, int]) -> None:
    with name_server([]) as server:
        pass
    answer = network.ask(server, HOST, seconds=0.3)
    assert answer.problem
    assert answer.addresses == ()


def test_a_gateway_that_is_not_ready_says_what_it_answers(readiness: dict[str, int]) -> None:
    platform = platform_of([], GATEWAYS)
    assert run(names.check_gateway_readiness, platform, "eu").status is Status.OK
    readiness["eu"] = 503
    finding = run(names.check_gateway_readiness, platform, "eu")
    assert finding.status is Status.FAILED
    assert "503" in finding.measured


def path_finding(
    directory: Path, monkeypatch: pytest.MonkeyPatch, number: int = 0, **given: object
) -> object:
    with gateway(directory, **given) as port, name_server(["127.0.0.1"]) as server:  # type: ignore[arg-type]
        monkeypatch.setattr(requests, "HTTPS_PORT", port)
        platform = platform_of([server], GATEWAYS)
        spec = platform.ingresses[0]
        return run(requests.check_path, platform, spec, spec.paths[number])


def test_a_path_answered_by_its_application_with_a_verified_certificate_is_ok(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = path_finding(tmp_path, monkeypatch)
    assert finding.status is Status.OK, finding  # type: ignore[attr-defined]
    assert "answered in eu" in finding.measured  # type: ignore[attr-defined]


def test_a_path_that_another_application_answers_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = path_finding(tmp_path, monkeypatch, services={"/assetconsumer": "asset-mgr-ms-svc"})
    assert finding.status is Status.FAILED  # type: ignore[attr-defined]
    assert "asset-mgr-ms-svc" in finding.explanation  # type: ignore[attr-defined]


def test_a_path_without_a_route_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = path_finding(tmp_path, monkeypatch, number=2)
    assert "HTTP 404" in finding.explanation  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        (issue(HOST, issue("another CA", ca=True), sans=(x509.DNSName(HOST),)), "certificate is refused"),
        (issue("x", CA, sans=(x509.DNSName("else.test"),)), "ertificate is"),
        (issue(HOST, CA, days=-1, age=9, sans=(x509.DNSName(HOST),)), "expired"),
    ],
)
def test_a_certificate_of_another_authority_name_or_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaf: Issued, words: str
) -> None:
    finding = path_finding(tmp_path, monkeypatch, leaf=leaf)
    assert finding.status is Status.FAILED  # type: ignore[attr-defined]
    assert words in finding.explanation  # type: ignore[attr-defined]


def test_without_an_answer_of_any_name_server_a_path_cannot_be_measured() -> None:
    platform = platform_of([], GATEWAYS)
    spec = platform.ingresses[0]
    with pytest.raises(NotMeasurable):
        run(requests.check_path, platform, spec, spec.paths[0])


def test_a_served_certificate_that_ends_soon_fails_its_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = issue(HOST, CA, days=2, age=60, sans=(x509.DNSName(HOST),))
    for leaf, status in ((LEAF, Status.OK), (soon, Status.FAILED)):
        with gateway(tmp_path, leaf) as port:
            monkeypatch.setattr(requests, "HTTPS_PORT", port)
            platform = platform_of([], GATEWAYS)
            finding = run(requests.check_served_certificate, platform, "eu", platform.ingresses[0])
        assert finding.status is status


def test_a_published_ca_that_ends_soon_fails_its_check() -> None:
    old = make_platform(caCertificate=issue("old", ca=True, days=1, age=90).pem)
    assert run(requests.check_published_ca, make_platform()).status is Status.OK
    assert run(requests.check_published_ca, old).status is Status.FAILED
