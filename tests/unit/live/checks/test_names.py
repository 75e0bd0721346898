"""Checks that ask name servers, against real ones on loopback, and what gdnsd says that it sees."""

from __future__ import annotations

import json

import dns.rcode
import pytest

from access import network
from access.cluster import Executed
from access.hosts import HostAccessError
from access.network import WebAnswer
from live.checks import names
from live.doctor.model import Finding, NotMeasurable, Status
from tests.unit.live.checks.support import GATEWAYS, name_server, platform_of
from tests.unit.operations.support import (
    HOST,
    make_platform,
    run,
)


def test_a_name_server_that_names_healthy_gateways_is_ok(readiness: dict[str, int]) -> None:
    with name_server(["127.0.0.1", "127.0.0.2"]) as server:
        finding = run(names.check_name_server, platform_of([server], GATEWAYS), server)
    assert finding.status is Status.OK, finding
    assert "127.0.0.1 (eu)" in finding.measured


def test_a_name_server_that_names_a_gateway_that_is_down_fails(readiness: dict[str, int]) -> None:
    readiness["eu"] = 503
    with name_server(["127.0.0.1"]) as server:
        finding = run(names.check_name_server, platform_of([server], GATEWAYS), server)
    assert finding.status is Status.FAILED
    assert "sends clients to eu" in finding.explanation


@pytest.mark.parametrize(
    ("addresses", "ttl", "authoritative", "code", "words"),
    [
        (["127.0.0.9"], 5, True, dns.rcode.NOERROR, "no region's gateway"),
        (["127.0.0.1"], 300, True, dns.rcode.NOERROR, "TTL 300 s is longer than 5 s"),
        ([], 5, True, dns.rcode.NOERROR, "holds no address"),
        (["127.0.0.1"], 5, False, dns.rcode.NOERROR, "not authoritative"),
        (["127.0.0.1"], 5, True, dns.rcode.SERVFAIL, "SERVFAIL"),
    ],
)
def test_a_wrong_answer_of_a_name_server_is_named(
    readiness: dict[str, int],
    addresses: list[str],
    ttl: int,
    authoritative: bool,
    code: dns.rcode.Rcode,
    words: str,
) -> None:
    with name_server(addresses, ttl, authoritative=authoritative, code=code) as server:
        finding = run(names.check_name_server, platform_of([server], GATEWAYS), server)
    assert finding.status is Status.FAILED
    assert words in finding.explanation


def test_a_name_server_that_does_not_answer_says_so(readiness: dict[str, int]) -> None:
    with name_server([]) as server:
        pass
    answer = network.ask(server, HOST, seconds=0.3)
    assert answer.problem
    assert answer.addresses == ()


EU, US = "10.101.1.200", "10.101.2.200"


def finding(
    monkeypatch: pytest.MonkeyPatch, states: dict[str, str], ready: set[str], answer: Executed | None = None
) -> Finding:
    said = {f"{address}/gateway": {"state": state, "real_state": state} for address, state in states.items()}
    done = answer or Executed(0, json.dumps(said), "")
    monkeypatch.setattr(names, "run_on", lambda ssh, address, command: done)
    monkeypatch.setattr(
        network,
        "get_http",
        lambda address, port, path, seconds=0.0: WebAnswer(200 if address in ready else 503),
    )
    platform = make_platform()
    edge = platform.stack.environment.regions["eu"].edges["eu-edge-1"]
    return run(names.check_health_view, platform, "eu-edge-1", edge)


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

    monkeypatch.setattr(names, "run_on", refuse)
    platform = make_platform()
    edge = platform.stack.environment.regions["eu"].edges["eu-edge-1"]
    with pytest.raises(NotMeasurable, match="Host key"):
        run(names.check_health_view, platform, "eu-edge-1", edge)
