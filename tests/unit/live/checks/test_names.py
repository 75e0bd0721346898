"""Checks that ask name servers, against real ones on loopback, and what gdnsd says that it sees."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import dns.rcode
import pytest

from access import network
from access.delegation import Delegation
from access.errors import IdentityMismatch, Unanswered
from access.network import NameAnswer, WebAnswer
from access.programs import Executed
from access.ssh import Connection
from live import prober
from live.checks import names
from live.doctor.model import CHECK_SECONDS, Finding, NotMeasurable
from live.doctor.platform import Platform
from report.model import Status
from stacks.model import HealthCheck
from stacks.model.names import GlobalLoadBalancerSpec
from tests.unit.live.checks.support import GATEWAYS, name_server, platform_of
from tests.unit.live.support import shown
from tests.unit.operations.support import (
    HOST,
    make_platform,
    run,
)


def test_a_name_server_that_names_healthy_gateways_is_ok(readiness: dict[str, int]) -> None:
    with name_server(["127.0.0.1", "127.0.0.2"]) as server:
        finding = run(names.check_name_server, platform_of([server], GATEWAYS), server)
    assert finding.status is Status.PASS, finding
    assert "127.0.0.1 (eu)" in finding.measured


def test_a_name_server_that_names_a_gateway_that_is_down_fails(readiness: dict[str, int]) -> None:
    readiness["eu"] = 503
    with name_server(["127.0.0.1"]) as server:
        finding = run(names.check_name_server, platform_of([server], GATEWAYS), server)
    assert finding.status is Status.FAIL
    assert "sends clients to eu" in finding.message


def test_of_a_region_with_several_addresses_the_dead_one_alone_is_told(
    monkeypatch: pytest.MonkeyPatch, readiness: dict[str, int]
) -> None:
    readiness["us"] = 503
    platform = platform_of([], {"eu": ["127.0.0.1", "127.0.0.2"], "us": []})
    with name_server(["127.0.0.1"]) as server:
        assert run(names.check_name_server, platform, server).status is Status.PASS
    with name_server(["127.0.0.1", "127.0.0.2"]) as server:
        told = run(names.check_name_server, platform, server)
    assert "sends clients to eu at 127.0.0.2, where its gateway is not ready" in told.message
    edge = platform.stack.environment.regions["eu"].edges["eu-edge-1"]
    monkeypatch.setattr(
        prober.ssh, "run", lambda *_, **__: shown({"127.0.0.1": "UP/5", "127.0.0.2": "DOWN/5"})
    )
    assert run(names.check_health_view, platform, "eu-edge-1", edge).status is Status.PASS
    monkeypatch.setattr(prober.ssh, "run", lambda *_, **__: shown({"127.0.0.1": "UP/5", "127.0.0.2": "UP/5"}))
    told = run(names.check_health_view, platform, "eu-edge-1", edge)
    assert "the gateway of eu (127.0.0.2) UP (503 from https://app.test/), which is not ready" in told.message


@pytest.mark.parametrize(
    ("addresses", "ttl", "authoritative", "code", "words"),
    [
        (["127.0.0.9"], 5, True, dns.rcode.NOERROR, "no region's gateway"),
        (["127.0.0.1"], 3, True, dns.rcode.NOERROR, "TTL 3 s, declared 5 s"),
        (["127.0.0.1"], 300, True, dns.rcode.NOERROR, "TTL 300 s, declared 5 s"),
        ([], 5, True, dns.rcode.NOERROR, "no record"),
        (["127.0.0.1"], 5, False, dns.rcode.NOERROR, "without authority"),
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
    assert finding.status is Status.FAIL
    assert words in finding.message


def test_a_drained_region_that_is_answered_is_named(readiness: dict[str, int]) -> None:
    platform = platform_of([], GATEWAYS)
    environment = platform.stack.environment.model_copy(
        update={"global_load_balancer": GlobalLoadBalancerSpec(drained=("us",))}
    )
    platform = replace(platform, stack=replace(platform.stack, environment=environment))
    with name_server(["127.0.0.1"]) as server:
        assert run(names.check_name_server, platform, server).status is Status.PASS
    with name_server(["127.0.0.1", "127.0.0.2"]) as server:
        assert "us is drained, and answered" in run(names.check_name_server, platform, server).message


NAME = "eu-1234.elb.example.com"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Platform:
    """The gateway of eu has a name instead of an address, as clouds give it."""
    addresses = {NAME: ("127.0.0.1",)}
    monkeypatch.setattr(
        network,
        "resolve",
        lambda gateway, seconds=0.0: NameAnswer(addresses.get(str(gateway), (str(gateway),)), 60),
    )
    return platform_of([], {"eu": NAME, "us": "127.0.0.2"})


def test_a_name_server_may_answer_a_gateway_s_name_or_what_it_resolves_to(
    readiness: dict[str, int], named: Platform
) -> None:
    for answers in (["127.0.0.1"], [f"{NAME}."]):
        with name_server(answers) as server:
            assert run(names.check_name_server, named, server).status is Status.PASS
            readiness["eu"] = 503
            found = run(names.check_name_server, named, server)
            assert "sends clients to eu" in found.message
        readiness["eu"] = 200


def test_a_name_server_s_view_of_a_gateway_with_a_name_is_compared(
    monkeypatch: pytest.MonkeyPatch, readiness: dict[str, int], named: Platform
) -> None:
    # gdnsd calls what it watches by full names, with the dot at their end.
    said = shown({f"{NAME}.": "UP/5", "127.0.0.2": "UP/5"})
    monkeypatch.setattr(prober.ssh, "run", lambda *_, **__: said)
    edge = named.stack.environment.regions["eu"].edges["eu-edge-1"]
    assert run(names.check_health_view, named, "eu-edge-1", edge).status is Status.PASS
    readiness["eu"] = 503
    found = run(names.check_health_view, named, "eu-edge-1", edge)
    assert f"({NAME}, resolved to 127.0.0.1) UP (503 from https://app.test/), which is not" in found.message


def test_a_name_server_that_does_not_answer_says_so(readiness: dict[str, int]) -> None:
    with name_server([]) as server:
        pass
    answer = network.ask(server, HOST, seconds=0.3)
    assert answer.problem
    assert answer.records == ()


EU, US = "10.101.1.200", "10.101.2.200"


def finding(
    monkeypatch: pytest.MonkeyPatch,
    states: dict[str, str],
    ready: set[str],
    answer: Executed | None = None,
    real: dict[str, str] | None = None,
    **changes: Any,
) -> Finding:
    done = answer or shown(states, real, **changes)
    monkeypatch.setattr(prober.ssh, "run", lambda *_, **__: done)
    monkeypatch.setattr(
        network,
        "get_https",
        lambda address, *_, **__: WebAnswer(200 if address in ready else 503),
    )
    platform = make_platform()
    edge = platform.stack.environment.regions["eu"].edges["eu-edge-1"]
    return run(names.check_health_view, platform, "eu-edge-1", edge)


def test_a_name_server_that_sees_every_gateway_as_it_is_is_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    assert finding(monkeypatch, {EU: "UP", US: "UP"}, {EU, US}).status is Status.PASS
    assert finding(monkeypatch, {EU: "DOWN", US: "UP"}, {US}).status is Status.PASS


def test_a_name_server_that_takes_all_gateways_for_dead_is_found_though_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = finding(monkeypatch, {EU: "DOWN", US: "DOWN"}, {EU, US})
    assert found.status is Status.FAIL
    assert f"the gateway of eu ({EU}) DOWN (503 from https://app.test/), which is ready" in found.message
    assert "answers with all of them" in found.message


@pytest.mark.parametrize(("counts", "status"), [(2, Status.PASS), (1000, Status.FAIL)])
def test_a_prober_is_let_count_what_it_meets_as_it_was_told_to(
    monkeypatch: pytest.MonkeyPatch, counts: int, status: Status
) -> None:
    """The doctor that ran as soon as `up` had ended said DOWN of what had answered once."""
    looks = iter(range(10_000))
    monkeypatch.setattr(network, "get_https", lambda *_, **__: WebAnswer(200))
    monkeypatch.setattr(names, "_counting", lambda platform: 0.3)
    monkeypatch.setattr(threading.Event, "wait", lambda event, seconds: time.sleep(0.01))

    def ask(*_: object, **__: object) -> Executed:
        known = {EU: "UP" if next(looks) >= counts else "DOWN", US: "UP"}
        return shown(known, against=0 if known[EU] == "UP" else 1)

    monkeypatch.setattr(prober.ssh, "run", ask)
    platform = make_platform()
    edge = platform.stack.environment.regions["eu"].edges["eu-edge-1"]
    found = run(names.check_health_view, platform, "eu-edge-1", edge, seconds=60)
    assert found.status is status, found
    assert ("DOWN (503 from https://app.test/: 1 in a row), which is ready" in found.message) is bool(
        status is Status.FAIL
    )
    assert next(looks) >= 3


@pytest.mark.parametrize(
    ("declared", "seconds"),
    [({}, 16.0), ({"interval": 5, "upThreshold": 4}, 35.0), ({"interval": 300, "downThreshold": 20}, 60.0)],
)
def test_a_prober_s_mind_is_waited_for_as_long_as_is_declared_and_a_minute_at_most(
    declared: dict[str, int], seconds: float
) -> None:
    platform = make_platform()
    environment = platform.stack.environment.model_copy(
        update={
            "global_load_balancer": GlobalLoadBalancerSpec(health_check=HealthCheck.model_validate(declared))
        }
    )
    platform = replace(platform, stack=replace(platform.stack, environment=environment))
    (check,) = (check for check in names.checks(platform) if check.id == "health-view/eu-edge-1")
    assert check.seconds == CHECK_SECONDS + seconds


def test_a_name_server_that_does_not_notice_a_dead_gateway_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert finding(monkeypatch, {EU: "UP", US: "UP"}, {US}).status is Status.FAIL


@pytest.mark.parametrize(
    ("state", "real", "ready", "status"),
    [
        ("UP!", "UP", True, Status.PASS),
        ("DOWN!", "UP", True, Status.PASS),
        ("DOWN!", "DOWN", False, Status.PASS),
        ("UP!", "DOWN", False, Status.FAIL),
        ("DOWN!", "DOWN", True, Status.FAIL),
        ("UP!", "UP", False, Status.FAIL),
    ],
)
def test_a_forced_state_is_told_from_what_the_probe_sees(
    monkeypatch: pytest.MonkeyPatch, state: str, real: str, ready: bool, status: Status
) -> None:
    alive = {US} | ({EU} if ready else set())
    found = finding(monkeypatch, {EU: f"{state}/5", US: "UP/5"}, alive, real={EU: f"{real}/5", US: "UP/5"})
    assert found.status is status, found
    assert "(forced; seen" in found.measured


def test_a_gateway_that_is_forced_up_and_dead_gets_no_advice_about_the_probe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = finding(monkeypatch, {EU: "UP!", US: "UP"}, {US}, real={EU: "DOWN"})
    assert "clients are sent there" in found.message
    assert "admin_state" in found.fix


@pytest.mark.parametrize(
    "answer",
    [
        shown({EU: "UP", US: "UP"}, states={}, problem="cannot connect to control socket"),
        Executed(1, "", "cannot open file: control socket"),
    ],
)
def test_a_gdnsd_or_a_prober_that_does_not_run_fails_with_its_words(
    monkeypatch: pytest.MonkeyPatch, answer: Executed
) -> None:
    found = finding(monkeypatch, {}, {EU, US}, answer)
    assert found.status is Status.FAIL
    assert "control socket" in found.message


def test_a_view_is_told_with_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    found = finding(monkeypatch, {EU: "UP", US: "UP"}, {EU, US}, age=3.2)
    assert found.status is Status.PASS
    assert f"{EU} UP, seen 3 s ago" in found.measured


def test_a_name_server_whose_prober_looks_no_more_is_found_though_its_view_is_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = finding(monkeypatch, {EU: "UP", US: "UP"}, {EU, US}, age=400)
    assert found.status is Status.FAIL
    assert f"its view of eu ({EU}) is 400 s old" in found.message
    assert "crossmesh-health.service" in found.fix


def test_a_name_server_that_does_not_take_what_its_prober_sees_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = finding(monkeypatch, {EU: "UP", US: "UP"}, {US}, seen={EU: False})
    assert f"gdnsd does not take from its prober that eu ({EU}) is DOWN" in found.message
    assert finding(monkeypatch, {EU: "UP", US: "UP"}, {US}, seen={EU: False}, since=1).status is Status.PASS


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            {"malformed": ["admin_state: value for 'x'"]},
            "admin_state is malformed: admin_state: value for 'x'",
        ),
        ({"unmatched": ["10.9.9.9/ingress_gateway"]}, "forces 10.9.9.9/ingress_gateway, which is no gateway"),
    ],
)
def test_forced_states_that_have_no_effect_are_told(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, list[str]], words: str
) -> None:
    found = finding(monkeypatch, {EU: "UP", US: "UP"}, {EU, US}, **said)
    assert found.status is Status.FAIL
    assert words in found.message


def test_a_host_that_ssh_does_not_reach_is_not_measurable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(host: str, connection: Connection, command: list[str], *, timeout: float) -> Executed:
        raise IdentityMismatch(f"{connection.address}: Host key verification failed")

    monkeypatch.setattr(prober.ssh, "run", refuse)
    platform = make_platform()
    edge = platform.stack.environment.regions["eu"].edges["eu-edge-1"]
    with pytest.raises(NotMeasurable, match="Host key"):
        run(names.check_health_view, platform, "eu-edge-1", edge)


def test_a_host_on_which_nobody_becomes_root_is_not_measurable(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Executed(1, "", "sudo: a password is required")
    with pytest.raises(NotMeasurable, match="a password is required"):
        finding(monkeypatch, {}, {EU, US}, refused)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ({}, Status.PASS, ""),
        ({"built": 0}, Status.FAIL, "was built 30 days ago"),
        ({"error": "No such file or directory"}, Status.FAIL, "eu-edge-1: the database of countries"),
    ],
)
def test_the_database_of_countries_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], status: Status, words: str
) -> None:
    path, now = "/var/lib/GeoIP/countries.mmdb", 30.2 * 86400
    good = {"path": path, "error": "", "type": "Test-Country", "built": now, "form": 2, "readable": True}
    monkeypatch.setattr(names.ssh, "ask", lambda *_, **__: {"now": now, **good, **answer})
    platform = platform_of([], GATEWAYS)
    declared = GlobalLoadBalancerSpec(geoip_database=path)
    environment = platform.stack.environment.model_copy(update={"global_load_balancer": declared})
    platform = replace(platform, stack=replace(platform.stack, environment=environment))
    edge = environment.regions["eu"].edges["eu-edge-1"]
    finding = run(names.check_country_database, platform, "eu-edge-1", edge, path)
    assert finding.status is status and words in finding.message, finding
    assert finding.stops is bool(answer.get("error")), "an old one is warned of"
    assert "country-database/eu-edge-1" in {check.id for check in names.checks(platform)}


def test_a_region_that_is_held_out_is_told_and_one_that_waits_for_a_hand_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, readiness: dict[str, int]
) -> None:
    platform = platform_of([], GATEWAYS)
    edge = platform.stack.environment.regions["eu"].edges["eu-edge-1"]
    eu, us = "127.0.0.1", "127.0.0.2"

    def found(left: float | None, state: str = "DOWN") -> Finding:
        said = shown(
            {eu: state, us: "UP"},
            seen={eu: True},
            held={"eu": [1.0, 0]},
            left={"eu": left},
            handed={eu: [False, 600.0], us: [True, 600.0]},
        )
        monkeypatch.setattr(prober.ssh, "run", lambda *_, **__: said)
        return run(names.check_health_view, platform, "eu-edge-1", edge)

    finding = found(40.0)
    assert finding.status is Status.PASS, finding
    assert any("held out for 40 s more; seen UP" in detail for detail in finding.details)
    waits = found(None)
    assert not waits.stops and "waits to be returned by hand" in waits.message
    assert "Raise the number of eu in `returned`" in waits.fix
    assert "gdnsd does not take from its prober that eu (127.0.0.1) is DOWN" in found(40.0, "UP").message


def test_what_edge_hosts_have_and_see_is_compared(
    monkeypatch: pytest.MonkeyPatch, readiness: dict[str, int]
) -> None:
    platform = platform_of([], GATEWAYS)
    eu, us = "127.0.0.1", "127.0.0.2"
    views = {"eu-edge-1": shown({eu: "UP", us: "UP"}), "us-edge-1": shown({eu: "UP", us: "UP"})}
    monkeypatch.setattr(prober.ssh, "run", lambda host, *_, **__: views[host])
    sums = {"eu-edge-1": "aa  app.test\n", "us-edge-1": "aa  app.test\n"}
    monkeypatch.setattr(names, "ask", lambda _, name, *__: Executed(0, sums[name], ""))
    assert run(names.check_agreement, platform).status is Status.PASS
    sums["us-edge-1"] = "bb  app.test\n"
    assert "app.test is not the same zone everywhere" in run(names.check_agreement, platform).message
    sums["us-edge-1"] = sums["eu-edge-1"]
    views["us-edge-1"] = shown({eu: "DOWN", us: "UP"})
    monkeypatch.setattr(names, "_counting", lambda _: 0.0)
    finding = run(names.check_agreement, platform, seconds=13)
    assert not finding.stops and "seen differently" in finding.message, "each is right for where it is"


def test_a_delegation_is_looked_at_where_it_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = platform_of([], GATEWAYS)
    assert not any(check.id.startswith("delegation/") for check in names.checks(platform))
    declared = GlobalLoadBalancerSpec(delegated=True)
    environment = platform.stack.environment.model_copy(update={"global_load_balancer": declared})
    platform = replace(platform, stack=replace(platform.stack, environment=environment))
    (check,) = (check for check in names.checks(platform) if check.id.startswith("delegation/"))
    zone = environment.domain
    edges = {
        f"{name}.{zone}": str(edge.address)
        for spec in environment.regions.values()
        for name, edge in spec.edges.items()
    }
    told = Delegation("test", tuple(edges), {name: (address,) for name, address in edges.items()})
    monkeypatch.setattr(names, "delegation", lambda _: told)
    assert run(check.run).status is Status.PASS
    monkeypatch.setattr(names, "delegation", lambda _: Delegation("test"))
    assert "is not delegated at test" in run(check.run).message

    def unanswered(_: str) -> Delegation:
        raise Unanswered("nobody says it", fix="look elsewhere")

    monkeypatch.setattr(names, "delegation", unanswered)
    with pytest.raises(NotMeasurable, match="nobody says it"):
        run(check.run)
