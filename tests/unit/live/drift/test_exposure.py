"""What gateways show: real handshakes with gateways on loopback."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509

from access import network
from access.network import NameAnswer
from components.tokens import EXPOSED_HOST
from live.drift import exposure
from live.drift.model import Record
from playbooks.tokens import CERTIFICATE, GIVEN_CERTIFICATE
from report.model import Op, Status
from tests.unit.live.drift.support import inquiry, record, resource, state_of, urn
from tests.unit.operations.support import Issued, issue

HOST = "app.lab.test"
CA = issue("gateway CA", ca=True, days=3650)
LEAF = issue(HOST, CA, days=89, sans=(x509.DNSName(HOST),))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Callable[[Issued | None], int]]:
    """Start a gateway that shows a certificate, or breaks off every handshake; return its port."""
    servers: list[socket.socket] = []

    def serve(server: socket.socket, context: ssl.SSLContext | None) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            try:
                if context is None:
                    client.close()
                else:
                    context.wrap_socket(client, server_side=True).close()
            except OSError:
                client.close()

    def start(issued: Issued | None) -> int:
        context = None
        if issued is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            (tmp_path / "pem").write_text(issued.pem + issued.key_pem)
            context.load_cert_chain(tmp_path / "pem")
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        threading.Thread(target=serve, args=(server, context), daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for server in servers:
        server.close()


def look(port: int, *gateways: str | None) -> Record:
    issued = resource(
        CERTIFICATE,
        "app.certificate",
        {"dns_names": [HOST]},
        {"certificate": LEAF.pem},
        parent=urn(EXPOSED_HOST, "app"),
    )
    outputs = {"regions": {"eu": {"gatewayAddresses": gateways or ("127.0.0.1",)}}, "caCertificate": CA.pem}
    found = record("gateways")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exposure, "HTTPS_PORT", port)
        exposure.look(inquiry(state_of([issued], outputs)), found)
    return found


def test_a_gateway_that_shows_what_was_issued_is_no_finding(
    gateway: Callable[[Issued | None], int],
) -> None:
    found = look(gateway(LEAF))
    assert found.findings == []
    (((key, (before, after)),)) = found.rows.items()
    assert (key, before) == ("app.lab.test at the gateway of eu", after)


def test_a_region_whose_gateway_has_no_address_yet_shows_nothing() -> None:
    found = look(0, None)
    assert found.rows == {}
    (finding,) = found.findings
    assert finding.status is Status.NOT_MEASURABLE
    assert "the outputs name no address of it" in finding.message


def test_a_gateway_with_several_addresses_is_asked_at_each(gateway: Callable[[Issued | None], int]) -> None:
    found = look(gateway(LEAF), "127.0.0.1", "127.0.0.2")
    assert list(found.rows) == ["app.lab.test at the gateway of eu at 127.0.0.1"]
    (finding,) = found.findings
    assert finding.status is Status.NOT_MEASURABLE and "127.0.0.2 does not answer" in finding.message


def test_a_gateway_with_a_host_name_is_asked_at_every_address_that_it_leads_to(
    gateway: Callable[[Issued | None], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = NameAnswer(("127.0.0.1",), 60)
    monkeypatch.setattr(network, "resolve", lambda address: answer)
    assert list(look(gateway(LEAF), "eu.elb.example.com").rows) == [
        "app.lab.test at the gateway of eu at 127.0.0.1"
    ]
    answer = NameAnswer((), None, "eu.elb.example.com resolves to no address")
    (finding,) = look(0, "eu.elb.example.com").findings
    assert finding.status is Status.NOT_MEASURABLE
    assert "resolves to no address" in finding.message


def test_another_certificate_of_the_same_authority_is_drift(
    gateway: Callable[[Issued | None], int],
) -> None:
    found = look(gateway(issue(HOST, CA, days=89, sans=(x509.DNSName(HOST),))))
    (drifted,) = found.drifted
    assert drifted.op is Op.UPDATE
    assert [entry.path for entry in drifted.properties] == ["in_use.eu"]
    assert "issued was" in found.findings[0].message


@pytest.mark.parametrize(
    ("issued", "words"),
    [
        (issue(HOST, sans=(x509.DNSName(HOST),)), "self-signed"),
        (issue(HOST, CA, days=-1, age=30, sans=(x509.DNSName(HOST),)), "expired"),
        (issue("other.test", CA, sans=(x509.DNSName("other.test"),)), "Hostname mismatch"),
    ],
)
def test_a_certificate_that_clients_refuse_is_drift(
    issued: Issued, words: str, gateway: Callable[[Issued | None], int]
) -> None:
    (finding,) = look(gateway(issued)).findings
    assert finding.status is Status.FAIL
    assert words in finding.message


def test_a_gateway_without_a_certificate_for_the_name_is_drift(
    gateway: Callable[[Issued | None], int],
) -> None:
    (finding,) = look(gateway(None)).findings
    assert finding.status is Status.FAIL
    assert "the handshake is broken off" in finding.message


def test_a_gateway_that_does_not_answer_is_not_measurable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    found = look(closed)
    assert [finding.status for finding in found.findings] == [Status.NOT_MEASURABLE]
    assert found.drifted == []


@pytest.mark.parametrize("authorities", [True, False])
def test_a_given_certificate_is_held_against_what_its_own_clients_trust(
    authorities: bool, gateway: Callable[[Issued | None], int]
) -> None:
    owner = issue("owner", ca=True)
    leaf = issue(HOST, owner, sans=(x509.DNSName(HOST),))
    resources = [
        resource(EXPOSED_HOST, "app", {"host": HOST, "certificate": "site"}),
        resource(GIVEN_CERTIFICATE, "site.given", {"certificate_name": "site"}, {"certificate": leaf.pem}),
    ]
    outputs = {
        "regions": {"eu": {"gatewayAddresses": ["127.0.0.1"]}},
        "caCertificate": CA.pem,
        "hostAuthorities": {HOST: owner.pem} if authorities else {},
    }
    found = record("gateways")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exposure, "HTTPS_PORT", gateway(leaf))
        exposure.look(inquiry(state_of(resources, outputs)), found)
    assert list(found.rows) == [f"{HOST} at the gateway of eu"]
    assert bool(found.findings) is not authorities
