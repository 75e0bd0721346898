"""Claim 5: with eu's gateway down, both name servers answer with us only within 10 s; with eu again
afterwards.
"""

from __future__ import annotations

import json
import time

from access.network import get_http
from report.exit_codes import ExitCode
from tests.lab.clients import addresses, curl
from tests.lab.conftest import BroughtUp
from tests.lab.test_4_failover_between_clusters import scaled

GATEWAY, NAMESPACE = "istio-ingressgateway", "istio-ingress"
SECONDS = 10.0


def answers(platform: BroughtUp) -> list[set[str]]:
    """What each name server answers just now."""
    return [addresses(server, platform.outputs.host)[0] for server in platform.outputs.nameservers]


def wait_for(platform: BroughtUp, wanted: set[str], *, only: bool, seconds: float) -> float:
    """Seconds until every name server answers `wanted`: nothing else, or at least one of them names it."""
    began = time.monotonic()
    while True:
        found = answers(platform)
        if all(a == wanted for a in found) if only else any(wanted <= a for a in found):
            return time.monotonic() - began
        if time.monotonic() - began > seconds:
            raise AssertionError(f"after {seconds:.0f} s the name servers still answer {found}")
        time.sleep(0.2)


def test_names_leave_a_region_whose_gateway_is_down_and_come_back(platform: BroughtUp) -> None:
    """Claim 5, measured from the moment at which the gateway's readiness port stops answering 200."""
    eu = str(platform.outputs.regions["eu"].gateway_addresses[0])
    us = str(platform.outputs.regions["us"].gateway_addresses[0])
    assert any(eu in found for found in answers(platform)), "eu is answered to nobody even when all is well"
    with platform.site.clusters() as clusters:
        core = clusters["eu"].core
        with scaled(clusters["eu"], GATEWAY, NAMESPACE, 0):
            core.delete_collection_namespaced_pod(
                NAMESPACE, label_selector="istio=ingressgateway", grace_period_seconds=0, _request_timeout=10
            )
            deadline = time.monotonic() + 30
            while get_http(eu, 15021, "/healthz/ready", seconds=1).status == 200:
                assert time.monotonic() < deadline, "the gateway does not go down"
                time.sleep(0.1)
            took = wait_for(platform, {us}, only=True, seconds=SECONDS)
            print(f"all name servers answered with us alone after {took:.1f} s")
            answer = curl(platform.outputs, us, "/assetconsumer")
            assert answer.status == 200
            ended = platform.site.crossmesh("doctor", "--json", check=False)
            assert ended.returncode == ExitCode.UNHEALTHY
            (stack,) = json.loads(ended.stdout)["stacks"]
            broken = {finding["rule"] for finding in stack["findings"] if finding["status"] == "fail"}
            assert "doctor/gateway-readiness/eu" in broken
            assert stack["causes"][0]["rule"] == "doctor/gateway/eu"
            assert not any(rule.startswith("doctor/name-server/") for rule in broken)
        back = wait_for(platform, {eu}, only=False, seconds=30)
        print(f"eu was answered again {back:.1f} s after its gateway was ready")
    assert curl(platform.outputs, eu, "/assetconsumer").status == 200
