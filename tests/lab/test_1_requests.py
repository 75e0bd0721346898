"""Claim 1: every name server answers with a healthy gateway, and that gateway answers with the right
service.
"""

from __future__ import annotations

import json

import jsonschema

from report.formats import document as reports
from tests.lab.clients import addresses, curl
from tests.lab.conftest import BroughtUp


def test_every_name_server_answers_with_the_gateway_of_a_region(platform: BroughtUp) -> None:
    """Claim 1: each answers for the host, with gateways' addresses only, for no longer than the declared
    TTL.
    """
    outputs = platform.outputs
    gateways = {str(region.gateway_addresses[0]) for region in outputs.regions.values()}
    assert len(outputs.nameservers) >= 2
    for server in outputs.nameservers:
        found, ttl = addresses(server, outputs.host)
        assert found and found <= gateways, (server, found)
        assert 0 < ttl <= 5


def test_curl_through_each_answer_gets_200_from_the_right_service_for_each_path(platform: BroughtUp) -> None:
    """Claim 1: `curl --cacert`, resolved to that answer, gets 200 for the three paths from the right
    service.
    """
    outputs = platform.outputs
    spec = next(iter(platform.site.declaration().environment.ingresses.values()))
    assert len(spec.paths) == 3
    for server in outputs.nameservers:
        for address in addresses(server, outputs.host)[0]:
            for entry in spec.paths:
                answer = curl(outputs, address, entry.path)
                assert answer.status == 200, (address, entry.path, answer)
                assert answer.document["service"] == entry.application


def test_every_region_s_gateway_answers_in_its_own_region(platform: BroughtUp) -> None:
    """Claim 1, for the gateways that no name server named just now too; requests stay in their region."""
    for region, output in platform.outputs.regions.items():
        answer = curl(platform.outputs, str(output.gateway_addresses[0]), "/assetconsumer")
        assert answer.status == 200, (region, answer)
        assert answer.document["region"] == region
        assert answer.document["cluster"] == region
        assert answer.document["upstream"]["service"] == "asset-mgr-ms-svc"


def test_the_gateway_s_certificate_is_of_the_published_authority_alone(platform: BroughtUp) -> None:
    """Claim 1: the same request without that authority is refused by the client."""
    from tests.unit.operations.support import issue

    address = str(next(iter(platform.outputs.regions.values())).gateway_addresses[0])
    answer = curl(platform.outputs, address, "/assetconsumer", ca=issue("other", ca=True).pem)
    assert answer.status == 0
    assert "certificate" in answer.problem


def test_the_doctor_finds_every_link_in_order(platform: BroughtUp) -> None:
    """All claims: `crossmesh doctor` ends with 0 and its JSON is what its schema says."""
    ended = platform.site.crossmesh("doctor", "--json", check=False)
    document = json.loads(ended.stdout)
    jsonschema.validate(document, json.loads(reports.FILE.read_text()))
    broken = [finding for finding in document["stacks"][0]["findings"] if finding["status"] != "pass"]
    assert not broken, json.dumps(broken, indent=2)
    assert ended.returncode == 0


def test_the_doctor_leaves_nothing_in_the_clusters(platform: BroughtUp) -> None:
    """All claims: the probe pods are gone soon after."""
    import time

    from live.doctor.probes import NAMESPACE

    with platform.site.clusters() as clusters:
        deadline = time.monotonic() + 60
        names: dict[str, list[str]] = {}
        while time.monotonic() < deadline:
            names = {
                region: [n.metadata.name for n in cluster.core.list_namespace(_request_timeout=10).items]
                for region, cluster in clusters.items()
            }
            if not any(NAMESPACE in found for found in names.values()):
                return
            time.sleep(1)
    raise AssertionError(f"{NAMESPACE} is still there: {names}")


def test_the_summary_and_the_status_show_a_platform_that_is_well(platform: BroughtUp) -> None:
    """All claims: what a newcomer sees at the end of the bring-up."""
    assert platform.outputs.url in platform.site.crossmesh("summary").stdout
    status = platform.site.crossmesh("status").stdout
    for words in ("eu-cp-1", "us-worker-1", "ready", "Ready"):
        assert words in status
