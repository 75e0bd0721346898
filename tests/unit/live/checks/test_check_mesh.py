from __future__ import annotations

import json

import pytest

from access.cluster import Executed
from live.checks import mesh, traffic
from live.doctor.model import NotMeasurable, Status, Watch
from live.doctor.probes import job
from tests.unit.operations.support import APPLICATIONS, Answers, make_platform, pod, run


def clusters(status: str) -> Answers:
    answer = Executed(0, json.dumps([{"id": "us", "secretName": "s", "syncStatus": status}]), "")
    istiod = pod("istiod-1", "istio-system")
    return Answers(pods=[istiod], execute=lambda pod, container, command: answer)


def test_a_remote_cluster_that_is_synced_is_ok() -> None:
    assert (
        run(mesh.check_remote_clusters, make_platform({"eu": clusters("synced")}), "eu").status is Status.OK
    )


@pytest.mark.parametrize("status", ["syncing", "timeout", "closed"])
def test_a_remote_cluster_that_is_not_synced_is_named_with_its_state(status: str) -> None:
    finding = run(mesh.check_remote_clusters, make_platform({"eu": clusters(status)}), "eu")
    assert finding.status is Status.FAILED
    assert f"us is {status}" in finding.explanation
    assert "istio-remote-secret-us" in finding.fix


def test_no_istiod_is_no_synced_cluster() -> None:
    assert run(mesh.check_remote_clusters, make_platform(), "eu").status is Status.FAILED


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
    assert finding.status is Status.OK  # type: ignore[attr-defined]


def test_an_application_without_an_endpoint_elsewhere_is_named() -> None:
    known = {name: ["172.30.1.5", "172.30.17.5"] for name in APPLICATIONS} | {APPLICATIONS[2]: ["172.30.1.5"]}
    finding = endpoints(known)
    assert finding.status is Status.FAILED  # type: ignore[attr-defined]
    assert f"no endpoint of {APPLICATIONS[2]} in us" in finding.explanation  # type: ignore[attr-defined]


class FakeProbe:
    def __init__(self, address: str, answer: Executed) -> None:
        self.address = address
        self._answer = answer

    def run(self, *command: str, timeout: float = 12) -> Executed:
        return self._answer


class FakeProbes:
    def __init__(self, address: str, outside: Executed, inside: Executed | None = None) -> None:
        self._outside, self._inside = FakeProbe(address, outside), FakeProbe(address, inside or outside)

    def outside(self, watch: Watch) -> FakeProbe:
        return self._outside

    def inside(self, watch: Watch) -> FakeProbe:
        return self._inside


RESET = Executed(56, "\n000", "curl: (56) Recv failure: Connection reset by peer")
REFUSED = Executed(7, "\n000", "curl: (7) Failed to connect")
ANSWERED = Executed(0, json.dumps({"service": "s", "region": "eu"}) + "\n200", "")


def strict(outside: Executed, inside: Executed, answers: Answers | None = None) -> object:
    platform = make_platform({"eu": answers or Answers(pods=[pod("a")])})
    probes = {"eu": FakeProbes("172.30.1.9", outside, inside)}
    return run(traffic.check_strict, platform, probes, "eu", seconds=30)


def test_refused_outside_and_answered_inside_is_strict() -> None:
    finding = strict(RESET, ANSWERED)
    assert finding.status is Status.OK  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("outside", "inside", "words"),
    [
        (ANSWERED, ANSWERED, "in plain text"),
        (REFUSED, ANSWERED, "proves nothing"),
        (RESET, Executed(0, "no healthy upstream\n503", ""), "HTTP 503"),
        (RESET, REFUSED, "Failed to connect"),
    ],
)
def test_anything_else_is_not_strict_and_says_why(outside: Executed, inside: Executed, words: str) -> None:
    finding = strict(outside, inside)
    assert finding.status is Status.FAILED  # type: ignore[attr-defined]
    assert words in finding.explanation  # type: ignore[attr-defined]


def test_no_pod_to_ask_is_no_proof_of_strictness() -> None:
    finding = strict(RESET, ANSWERED, Answers())
    assert finding.status is Status.FAILED  # type: ignore[attr-defined]


def flat(answer: Executed) -> object:
    probes = {"eu": FakeProbes("172.30.1.9", answer), "us": FakeProbes("172.30.17.9", answer)}
    return run(traffic.check_flat, make_platform(), probes, "eu", "us")


@pytest.mark.parametrize("seen", ["172.30.1.9", "[::ffff:172.30.1.9]"])
def test_a_caller_that_is_seen_by_its_own_address_is_flat(seen: str) -> None:
    finding = flat(Executed(0, f"{seen}\n\n200", ""))
    assert finding.status is Status.OK  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Executed(0, "10.101.1.12\n\n200", ""), "translates addresses"),
        (Executed(28, "\n000", "curl: (28) timed out"), "timed out"),
    ],
)
def test_a_translated_or_lost_caller_is_not_flat(answer: Executed, words: str) -> None:
    finding = flat(answer)
    assert finding.status is Status.FAILED  # type: ignore[attr-defined]
    assert words in finding.explanation  # type: ignore[attr-defined]


def test_probe_jobs_end_and_vanish_by_themselves() -> None:
    for role in ("outside", "inside"):
        spec = job(role, "abc")["spec"]
        assert 0 < spec["activeDeadlineSeconds"] <= 600
        assert 0 < spec["ttlSecondsAfterFinished"] <= 600
        assert spec["backoffLimit"] == 0


def test_only_the_probe_inside_the_mesh_asks_for_a_sidecar() -> None:
    def label(role: str) -> str:
        return str(job(role, "abc")["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"])

    assert (label("outside"), label("inside")) == ("false", "true")


def test_a_probe_that_does_not_come_up_is_not_measurable_and_not_a_failure_of_the_mesh() -> None:
    class Missing:
        def outside(self, watch: Watch) -> FakeProbe:
            raise NotMeasurable("no image")

    with pytest.raises(NotMeasurable):
        run(traffic.check_flat, make_platform(), {"eu": Missing(), "us": Missing()}, "eu", "us")
