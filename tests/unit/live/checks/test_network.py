from __future__ import annotations

import pytest

from live.checks import network
from live.doctor.model import NotMeasurable, Watch
from live.doctor.probes import Answer
from report.model import Status
from tests.unit.live.checks.support import FakeProbe, FakeProbes
from tests.unit.operations.support import (
    Answers,
    make_platform,
    pod,
    run,
)


def test_pods_inside_the_slices_of_their_nodes_are_ok_and_host_network_does_not_count() -> None:
    answers = Answers(pods=[pod("a"), pod("b", ip="10.101.1.12", host_network=True)])
    finding = run(network.check_pod_addresses, make_platform({"eu": answers}), "eu")
    assert finding.status is Status.PASS
    assert finding.measured.startswith("1 pods")


def test_a_pod_outside_its_node_s_slice_is_named() -> None:
    answers = Answers(pods=[pod("a", ip="172.30.0.5")])
    finding = run(network.check_pod_addresses, make_platform({"eu": answers}), "eu")
    assert finding.status is Status.FAIL
    assert "greencompute/a" in finding.message


def test_one_address_of_two_pods_is_found() -> None:
    answers = Answers(pods=[pod("a"), pod("b")])
    finding = run(network.check_pod_addresses, make_platform({"eu": answers}), "eu")
    assert "greencompute/a and of greencompute/b" in finding.message


def test_a_region_without_any_pod_of_the_network_proves_nothing_and_fails() -> None:
    assert run(network.check_pod_addresses, make_platform(), "eu").status is Status.FAIL


def flat(answer: Answer) -> object:
    probes = {"eu": FakeProbes("172.30.1.9", answer), "us": FakeProbes("172.30.17.9", answer)}
    return run(network.check_flat, make_platform(probes=probes), "eu", "us")


@pytest.mark.parametrize("seen", ["172.30.1.9", "[::ffff:172.30.1.9]"])
def test_a_caller_that_is_seen_by_its_own_address_is_flat(seen: str) -> None:
    finding = flat(Answer(200, f"{seen}\n"))
    assert finding.status is Status.PASS  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(200, "10.101.1.12\n"), "translates addresses"),
        (Answer(0, problem="no answer within 5 s"), "no answer within 5 s"),
    ],
)
def test_a_translated_or_lost_caller_is_not_flat(answer: Answer, words: str) -> None:
    finding = flat(answer)
    assert finding.status is Status.FAIL  # type: ignore[attr-defined]
    assert words in finding.message  # type: ignore[attr-defined]


def test_a_probe_that_does_not_come_up_is_not_measurable_and_not_a_failure_of_the_mesh() -> None:
    class Missing:
        def ready(self, role: str, watch: Watch) -> FakeProbe:
            raise NotMeasurable("no image")

    with pytest.raises(NotMeasurable):
        run(network.check_flat, make_platform(probes={"eu": Missing(), "us": Missing()}), "eu", "us")
