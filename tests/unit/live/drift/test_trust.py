"""Certificates and tokens: their ends, and what istiod signs with, from clusters in memory."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

from components.tokens import BARE_METAL_CLUSTER, EXPOSED_HOST, GATEWAY_TRUST, ISTIO_CONTROL_PLANE
from live.certificates import CACERTS
from live.drift import trust
from live.drift.model import Record
from playbooks.tokens import CERTIFICATE, CERTIFICATE_AUTHORITY, SERVICE_ACCOUNT_TOKEN
from report.model import Op, Severity, Status
from tests.unit.live.drift.support import FakeCluster, FakeClusters, inquiry, record, resource, state_of, urn
from tests.unit.operations.support import Issued, issue

NOW = datetime.now(UTC)
HOST = "app.lab.test"
CA = issue("gateway CA", ca=True, days=3650)
LEAF = issue(HOST, CA, days=89, sans=(x509.DNSName(HOST),))
ROOT = issue("mesh root", ca=True, days=3650)
MESH = issue("mesh of eu", ROOT, ca=True, days=1000)


def entry(type: str, name: str, holder: str, issued: Issued, **outputs: Any) -> dict[str, Any]:
    region = "eu" if holder == ISTIO_CONTROL_PLANE else ""
    return resource(type, name, {}, {"certificate": issued.pem, **outputs}, parent=urn(holder, region))


def look(
    *,
    cacerts: dict[str, str] | None = None,
    more: list[dict[str, Any]] | None = None,
    now: datetime = NOW,
) -> Record:
    entries = [
        entry(CERTIFICATE_AUTHORITY, "gateway-ca", GATEWAY_TRUST, CA),
        entry(CERTIFICATE_AUTHORITY, "eu.mesh-ca", ISTIO_CONTROL_PLANE, MESH, root_certificate=ROOT.pem),
        entry(CERTIFICATE, "app.certificate", EXPOSED_HOST, LEAF),
        *(more or []),
    ]
    cluster = FakeCluster()
    data = {"ca-cert.pem": MESH.pem, "root-cert.pem": ROOT.pem} if cacerts is None else cacerts
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    cluster.answers[CACERTS] = (200, {"data": encoded})
    found = record("certificates")
    trust.look(inquiry(state_of(entries), FakeClusters({"eu": cluster}), now=now), found)
    return found


def test_certificates_that_are_valid_and_in_use_are_no_finding() -> None:
    found = look()
    assert found.findings == []
    assert {key: before == after for key, (before, after) in found.rows.items()} == {
        "app.certificate": True,
        "istiod of eu, certificate": True,
        "istiod of eu, root_certificate": True,
        "eu.mesh-ca": True,
        "gateway-ca": True,
    }


def test_istiod_is_not_expected_to_sign_with_other_authorities_of_its_region() -> None:
    """Those of the cluster and of MetalLB's webhook were taken for the mesh's."""
    holder = resource(
        BARE_METAL_CLUSTER, "eu", {"region": "eu", "declared": "regions.eu.cluster"}, custom=False
    )
    outputs = {"certificate": CA.pem, "root_certificate": CA.pem}
    cluster = resource(CERTIFICATE_AUTHORITY, "eu.cluster-ca", {}, outputs, parent=holder["urn"])
    found = look(more=[holder, cluster])
    assert found.findings == []
    assert "eu.cluster-ca" in found.rows


def test_another_mesh_authority_is_drift() -> None:
    other = issue("another root", ca=True)
    found = look(cacerts={"ca-cert.pem": issue("x", other, ca=True).pem, "root-cert.pem": other.pem})
    (drifted,) = found.drifted
    assert [entry.path for entry in drifted.properties] == ["in_use.certificate", "in_use.root_certificate"]
    assert "signs with another authority" in found.findings[0].message
    (gone,) = look(cacerts={}).drifted
    assert {entry.new for entry in gone.properties} == {"none"}
    (broken,) = look(cacerts={"ca-cert.pem": "x", "root-cert.pem": ROOT.pem}).drifted
    assert [entry.new for entry in broken.properties] == ["none"]


def test_the_end_of_a_certificate_is_warned_of_and_then_an_error() -> None:
    soon = look(now=NOW + timedelta(days=72))
    (finding,) = soon.findings
    assert (finding.status, finding.severity) == (Status.FAIL, Severity.WARNING)
    assert "expires in 16 days" in finding.message
    assert soon.drifted == []
    past = look(now=NOW + timedelta(days=90))
    (finding,) = past.findings
    assert finding.severity is Severity.ERROR
    assert "expired at" in finding.message
    assert [drifted.op for drifted in past.drifted] == [Op.UPDATE]
    assert past.rows["app.certificate"][1] == "expired"


def test_the_end_of_a_token_counts_as_well() -> None:
    token = resource(SERVICE_ACCOUNT_TOKEN, "eu.token-for.us", {}, {"expires_at": "2030-01-01T00:00:00Z"})
    found = look(more=[token])
    assert found.rows["eu.token-for.us"] == ("ends 2030-01-01", "ends 2030-01-01")
    (finding,) = look(more=[token], now=datetime(2030, 1, 2, tzinfo=UTC)).findings[-1:]
    assert "expired at" in finding.message


def test_what_the_state_has_no_certificate_of_is_not_measurable() -> None:
    found = look(more=[resource("crossmesh:tls:Certificate", "x", {}, {})])
    assert [finding.status for finding in found.findings] == [Status.NOT_MEASURABLE]
