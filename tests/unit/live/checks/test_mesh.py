from __future__ import annotations

import json

import pytest

from access.programs import Executed
from live.checks import mesh
from report.model import Status
from tests.unit.operations.support import (
    APPLICATIONS,
    Answers,
    make_platform,
    pod,
    run,
)


def clusters(status: str) -> Answers:
    answer = Executed(0, json.dumps([{"id": "us", "secretName": "s", "syncStatus": status}]), "")
    istiod = pod("istiod-1", "istio-system")
    return Answers(pods=[istiod], execute=lambda pod, container, command: answer)


def test_a_remote_cluster_that_is_synced_is_ok() -> None:
    assert (
        run(mesh.check_remote_clusters, make_platform({"eu": clusters("synced")}), "eu").status is Status.PASS
    )


@pytest.mark.parametrize("status", ["syncing", "timeout", "closed"])
def test_a_remote_cluster_that_is_not_synced_is_named_with_its_state(status: str) -> None:
    finding = run(mesh.check_remote_clusters, make_platform({"eu": clusters(status)}), "eu")
    assert finding.status is Status.FAIL
    assert f"us is {status}" in finding.message
    assert "istio-remote-secret-us" in finding.fix


def test_no_istiod_is_no_synced_cluster() -> None:
    assert run(mesh.check_remote_clusters, make_platform(), "eu").status is Status.FAIL


def envoy(addresses: dict[str, list[str]]) -> Executed:
    def host(address: str) -> dict[str, object]:
        return {"address": {"socket_address": {"address": address, "port_value": 8080}}}

    statuses = [
        {
            "name": f"outbound|8080||{name}.greencompute.svc.cluster.local",
            "host_statuses": [host(address) for address in found],
        }
        for name, found in addresses.items()
    ]
    return Executed(0, json.dumps({"cluster_statuses": statuses}), "")


def endpoints(addresses: dict[str, list[str]]) -> object:
    answers = Answers(pods=[pod("a")], execute=lambda pod, container, command: envoy(addresses))
    return run(mesh.check_endpoints, make_platform({"eu": answers}), "eu")


def test_endpoints_of_every_application_in_every_region_are_ok() -> None:
    finding = endpoints({name: ["172.30.1.5", "172.30.17.5"] for name in APPLICATIONS})
    assert finding.status is Status.PASS  # type: ignore[attr-defined]


def test_an_application_without_an_endpoint_elsewhere_is_named() -> None:
    known = {name: ["172.30.1.5", "172.30.17.5"] for name in APPLICATIONS} | {APPLICATIONS[2]: ["172.30.1.5"]}
    finding = endpoints(known)
    assert finding.status is Status.FAIL  # type: ignore[attr-defined]
    assert f"no endpoint of {APPLICATIONS[2]} in us" in finding.message  # type: ignore[attr-defined]
