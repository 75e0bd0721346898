from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from access import ssh
from access.errors import Unanswered
from access.programs import Executed
from live.checks import network
from live.doctor.model import Finding, NotMeasurable, Watch
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


SESSION = """\
BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
fabric1    BGP        ---        up     08:04:24.354  Established
  BGP state:          Established
    Neighbor address: 10.101.1.1
    Neighbor AS:      65000
    Local AS:         65101
    Local capabilities
      Graceful restart
        Restart time: 120
    Neighbor capabilities
      Route refresh
      Graceful restart
      4-octet AS numbers
    Session:          external AS4
    Hold timer:       7.004/9
"""
REFUSED = """\
BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
fabric1    BGP        ---        start  08:04:24.354  Active        Socket: Connection reset by peer
  BGP state:          Active
    Neighbor address: 10.101.1.1
    Neighbor AS:      65000
    Last error:       Socket: Connection reset by peer
"""
ROUTES: list[dict[str, Any]] = [
    {"dst": "default", "gateway": "10.101.1.1", "dev": "host0"},
    {"dst": "10.101.1.0/24", "dev": "host0"},
    {"dst": "172.30.0.0/24", "gateway": "10.101.1.11", "protocol": "bird"},
    {"dst": "172.30.16.0/20", "nexthops": [{"gateway": "10.101.1.1"}, {"gateway": "10.101.1.2"}]},
    {"type": "unreachable", "dst": "172.30.1.0/24", "protocol": "bird"},
]


def on_worker(
    monkeypatch: pytest.MonkeyPatch, check: Callable[..., Finding], said: str, *more: Any
) -> Finding:
    """What a check finds on eu-worker-1, which says that."""
    done = Executed(0, said, "")
    monkeypatch.setattr(ssh, "run", lambda host, connection, command: done)
    platform = make_platform()
    node = platform.stack.environment.regions["eu"].nodes["eu-worker-1"]
    return run(check, platform, "eu-worker-1", node, *more)


def sessions(monkeypatch: pytest.MonkeyPatch, said: str) -> Finding:
    fabric = make_platform().stack.environment.regions["eu"].fabric
    return on_worker(monkeypatch, network.check_sessions, said, fabric)


def routes(monkeypatch: pytest.MonkeyPatch, listed: list[dict[str, Any]] = ROUTES) -> Finding:
    return on_worker(monkeypatch, network.check_routes, json.dumps(listed))


def test_a_node_with_its_session_and_a_way_to_every_slice_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    found = sessions(monkeypatch, SESSION)
    assert found.status is Status.PASS, found
    assert found.measured == "1 of 1 sessions"
    found = routes(monkeypatch)
    assert found.status is Status.PASS, found
    assert found.measured == "3 slices of other nodes, 0 without a way"
    assert "172.30.17.0/24 of us-worker-1: via 10.101.1.1, 10.101.1.2" in found.details


def test_only_nodes_with_routers_have_sessions_that_their_routes_rest_on() -> None:
    platform = make_platform()
    checks = {check.id: check for check in network.checks(platform)}
    assert "sessions/us-cp-1" in checks["routes/eu-cp-1"].rests_on
    regions = platform.stack.environment.regions
    alone = {name: spec.model_copy(update={"fabric": None}) for name, spec in regions.items()}
    environment = platform.stack.environment.model_copy(update={"regions": alone})
    without = replace(platform, stack=replace(platform.stack, environment=environment))
    told = {check.id: check.rests_on for check in network.checks(without)}
    assert not [key for key in (*told, *told["routes/eu-cp-1"]) if key.startswith("sessions/")]


@pytest.mark.parametrize(
    ("said", "words", "fix"),
    [
        (
            "",
            "no session with the router 10.101.1.1: BIRD does not run",
            "journalctl -u bird",
        ),
        (REFUSED, "(AS 65000) have no session: Active, Socket: Connection reset by peer", "error wait time"),
        (
            SESSION.replace("Route refresh\n      Graceful restart", "Route refresh"),
            "the router 10.101.1.1 drops the routes of eu-worker-1 when BIRD restarts there",
            "graceful restart",
        ),
    ],
)
def test_a_session_that_is_not_as_it_must_be_is_named(
    monkeypatch: pytest.MonkeyPatch, said: str, words: str, fix: str
) -> None:
    found = sessions(monkeypatch, said)
    assert found.status is Status.FAIL
    assert words in found.message
    assert fix in found.fix


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"type": "unreachable", "dst": "172.30.0.0/24"},
            "172.30.0.0/24 of eu-cp-1: the route is unreachable",
        ),
        ({"type": "blackhole", "dst": "172.30.0.0/16"}, "172.30.0.0/24 of eu-cp-1: the route is blackhole"),
    ],
)
def test_a_slice_that_routes_lead_nowhere_is_named_though_the_session_is_up(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], words: str
) -> None:
    found = routes(monkeypatch, [ROUTES[0], changed])
    assert words in found.message
    assert "pass nodes' slices on" in found.fix


def test_a_node_without_any_route_that_covers_a_slice_has_no_way_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = routes(monkeypatch, ROUTES[1:3])
    assert "no way to 172.30.16.0/24 of us-cp-1" in found.message
    assert "eu-cp-1" not in found.message


def test_routes_of_a_node_that_ssh_does_not_reach_are_not_measurable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(host: str, connection: object, command: list[str]) -> Executed:
        raise Unanswered(f"{host}: cannot be reached")

    monkeypatch.setattr(ssh, "run", refuse)
    platform = make_platform()
    node = platform.stack.environment.regions["eu"].nodes["eu-worker-1"]
    with pytest.raises(NotMeasurable, match="cannot be reached"):
        run(network.check_routes, platform, "eu-worker-1", node)
