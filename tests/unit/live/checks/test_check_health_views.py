from __future__ import annotations

import json

import pytest

from access import network
from access.cluster import Executed
from access.hosts import HostAccessError
from access.network import WebAnswer
from live.checks import health_views
from live.doctor.model import Finding, NotMeasurable, Status
from tests.unit.operations.support import make_platform, run

EU, US = "10.101.1.200", "10.101.2.200"


def finding(
    monkeypatch: pytest.MonkeyPatch, states: dict[str, str], ready: set[str], answer: Executed | None = None
) -> Finding:
    said = {f"{address}/gateway": {"state": state, "real_state": state} for address, state in states.items()}
    done = answer or Executed(0, json.dumps(said), "")
    monkeypatch.setattr(health_views, "run_on", lambda ssh, address, command: done)
    monkeypatch.setattr(
        network,
        "get_http",
        lambda address, port, path, seconds=0.0: WebAnswer(200 if address in ready else 503),
    )
    platform = make_platform()
    edge = platform.stack.environment.regions["eu"].edges["eu-edge-1"]
    return run(health_views.check_health_view, platform, "eu-edge-1", edge)


def test_a_name_server_that_sees_every_gateway_as_it_is_is_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    assert finding(monkeypatch, {EU: "UP", US: "UP"}, {EU, US}).status is Status.OK
    assert finding(monkeypatch, {EU: "DOWN", US: "UP"}, {US}).status is Status.OK


def test_a_name_server_that_takes_all_gateways_for_dead_is_found_though_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = finding(monkeypatch, {EU: "DOWN", US: "DOWN"}, {EU, US})
    assert found.status is Status.FAILED
    assert f"the gateway of eu ({EU}) DOWN, which is ready" in found.explanation
    assert "answers with all of them" in found.explanation


def test_a_name_server_that_does_not_notice_a_dead_gateway_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert finding(monkeypatch, {EU: "UP", US: "UP"}, {US}).status is Status.FAILED


def test_a_gdnsd_that_does_not_run_fails_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    found = finding(monkeypatch, {}, {EU, US}, Executed(1, "", "cannot connect to control socket"))
    assert found.status is Status.FAILED
    assert "control socket" in found.explanation


def test_a_host_that_ssh_does_not_reach_is_not_measurable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(ssh: object, address: str, command: str) -> Executed:
        raise HostAccessError(f"{address}: Host key verification failed")

    monkeypatch.setattr(health_views, "run_on", refuse)
    platform = make_platform()
    edge = platform.stack.environment.regions["eu"].edges["eu-edge-1"]
    with pytest.raises(NotMeasurable, match="Host key"):
        run(health_views.check_health_view, platform, "eu-edge-1", edge)
