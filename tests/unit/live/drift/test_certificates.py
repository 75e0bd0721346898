"""Certificates: real handshakes with gateways on loopback, secrets of clusters from memory."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from components.tokens import EXPOSED_HOST, GATEWAY_TRUST, ISTIO_CONTROL_PLANE
from live.drift import certificates
from live.drift.model import Record
from playbooks.tokens import CERTIFICATE, CERTIFICATE_AUTHORITY, SERVICE_ACCOUNT_TOKEN
from report.model import Op, Severity, Status
from report.progress import Watch
from tests.unit.live.drift.support import FakeCluster, FakeClusters, quiet, record, resource, state_of, urn
from tests.unit.operations.support import Issued, issue

NOW = datetime.now(UTC)
HOST = "app.lab.test"
CA = issue("gateway CA", ca=True, days=3650)
LEAF = issue(HOST, CA, days=89, sans=(x509.DNSName(HOST),))
ROOT = issue("mesh root", ca=True, days=3650)
MESH = issue("mesh of eu", ROOT, ca=True, days=1000)
CACERTS = "/api/v1/namespaces/istio-system/secrets/cacerts"


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


def entry(type: str, name: str, holder: str, issued: Issued, **outputs: Any) -> dict[str, Any]:
    return resource(type, name, {}, {"certificate": issued.pem, **outputs}, parent=urn(holder, "eu"))


def look(
    port: int = 0,
    *,
    leaf: Issued = LEAF,
    cacerts: dict[str, str] | None = None,
    more: list[dict[str, Any]] | None = None,
    now: datetime = NOW,
) -> Record:
    served = entry(CERTIFICATE, "app.certificate", EXPOSED_HOST, leaf)
    served["inputs"] = {"dns_names": [HOST]}
    entries = [
        entry(CERTIFICATE_AUTHORITY, "gateway-ca", GATEWAY_TRUST, CA),
        entry(CERTIFICATE_AUTHORITY, "eu.mesh-ca", ISTIO_CONTROL_PLANE, MESH, root_certificate=ROOT.pem),
        served,
        *(more or []),
    ]
    regions = {"eu": {"gatewayAddress": "127.0.0.1"}} if port else {"eu": {"gatewayAddress": None}}
    cluster = FakeCluster()
    data = {"ca-cert.pem": MESH.pem, "root-cert.pem": ROOT.pem} if cacerts is None else cacerts
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    cluster.answers[CACERTS] = (200, {"data": encoded})
    found = record("certificates")
    state = state_of(entries, {"regions": regions})
    certificates.look(state, FakeClusters({"eu": cluster}), found, quiet, Watch(60), now, port)
    return found


def test_certificates_in_use_are_those_that_were_issued(gateway: Callable[[Issued | None], int]) -> None:
    found = look(gateway(LEAF))
    assert found.findings == []
    assert {key: before == after for key, (before, after) in found.rows.items()} == {
        "app.certificate": True,
        "app.lab.test at the gateway of eu": True,
        "cacerts of eu, ca-cert.pem": True,
        "cacerts of eu, root-cert.pem": True,
        "eu.mesh-ca": True,
        "gateway-ca": True,
    }


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


def test_another_mesh_authority_is_drift() -> None:
    other = issue("another root", ca=True)
    found = look(cacerts={"ca-cert.pem": issue("x", other, ca=True).pem, "root-cert.pem": other.pem})
    (drifted,) = found.drifted
    assert [entry.path for entry in drifted.properties] == ["in_use.certificate", "in_use.root_certificate"]
    assert "signs with another authority" in found.findings[0].message
    (gone,) = look(cacerts={}).drifted
    assert {entry.new for entry in gone.properties} == {"none"}
    (broken,) = look(cacerts={"ca-cert.pem": "x", "root-cert.pem": ROOT.pem}).drifted
    assert [entry.new for entry in broken.properties] == ["no certificate"]


def test_the_end_of_a_certificate_is_warned_of_and_then_an_error() -> None:
    soon = look(now=NOW + timedelta(days=70))
    (finding,) = soon.findings
    assert (finding.status, finding.severity) == (Status.FAIL, Severity.WARNING)
    assert "in 18 days" in finding.message
    assert soon.drifted == []
    past = look(now=NOW + timedelta(days=90))
    (finding,) = past.findings
    assert finding.severity is Severity.ERROR
    assert "has expired" in finding.message
    assert [drifted.op for drifted in past.drifted] == [Op.UPDATE]
    assert past.rows["app.certificate"][1] == "expired"


def test_the_end_of_a_token_counts_as_well() -> None:
    token = resource(SERVICE_ACCOUNT_TOKEN, "eu.token-for.us", {}, {"expires_at": "2030-01-01T00:00:00Z"})
    found = look(more=[token])
    assert found.rows["eu.token-for.us"] == ("ends 2030-01-01", "ends 2030-01-01")
    (finding,) = look(more=[token], now=datetime(2030, 1, 2, tzinfo=UTC)).findings[-1:]
    assert "has expired" in finding.message


def test_what_the_state_has_no_certificate_of_is_not_measurable() -> None:
    found = look(more=[resource("crossmesh:tls:Certificate", "x", {}, {})])
    assert [finding.status for finding in found.findings] == [Status.NOT_MEASURABLE]
