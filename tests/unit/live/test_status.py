"""Locks, nodes, gateways and answers at a glance, with gateways and name servers on loopback."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access import engine, locks, network, pending
from access.locks import Lock
from access.network import NameAnswer, WebAnswer
from access.pending import Pending
from access.programs import Executed
from live import prober
from live.status import Line, read_status
from report.errors import OperationsError
from tests.unit.live.checks.support import platform_of
from tests.unit.live.support import shown
from tests.unit.operations.support import make_platform

NAME = "eu-1234.elb.example.com"


@pytest.fixture(autouse=True)
def interrupted(monkeypatch: pytest.MonkeyPatch) -> list[Pending]:
    """Operations that a killed run left."""
    operations: list[Pending] = []
    monkeypatch.setattr(pending, "read", lambda _: operations)
    return operations


@pytest.fixture(autouse=True)
def edges(monkeypatch: pytest.MonkeyPatch) -> dict[str, Executed]:
    """What the hosts of the name servers say, by name."""
    said = dict.fromkeys(("eu-edge-1", "us-edge-1"), shown({"10.101.1.200": "UP", "10.101.2.200": "UP"}))
    monkeypatch.setattr(prober.ssh, "run", lambda host, *_, **__: said[host])
    return said


def test_what_each_name_server_sees_is_shown_with_its_age(
    monkeypatch: pytest.MonkeyPatch, edges: dict[str, Executed]
) -> None:
    monkeypatch.setattr(network, "get_https", lambda *_, **__: WebAnswer(200))
    monkeypatch.setattr(network, "ask", lambda *_, **__: NameAnswer((), None))
    edges["us-edge-1"] = shown({"10.101.1.200": "DOWN", "10.101.2.200": "UP"}, age=400)
    lines = [line for line in read_status(make_platform()) if line.group == "views"]
    assert [(line.name, line.state, line.well) for line in lines[:4]] == [
        ("eu-edge-1 eu", "UP, seen 1 s ago", True),
        ("eu-edge-1 us", "UP, seen 1 s ago", True),
        ("us-edge-1 eu", "DOWN, seen 400 s ago", False),
        ("us-edge-1 us", "UP, seen 400 s ago", False),
    ]
    assert "its view of eu (10.101.1.200) is 400 s old" in lines[4].state


def test_what_a_killed_run_left_is_not_well(
    monkeypatch: pytest.MonkeyPatch, interrupted: list[Pending]
) -> None:
    interrupted.append(Pending("urn:pulumi:lab::p::crossmesh:hosts:HostPhase::eu-worker-1.join", "updating"))
    monkeypatch.setattr(network, "get_https", lambda *_, **__: WebAnswer(200))
    monkeypatch.setattr(network, "ask", lambda *_, **__: NameAnswer((), None))
    (line,) = [line for line in read_status(make_platform()) if line.group == "state"]
    assert not line.well
    assert line.state.startswith("eu-worker-1.join was interrupted while updating: `crossmesh lock clear")


def test_a_gateway_that_nobody_could_ask_for_anything_is_not_called_ready() -> None:
    platform = make_platform()
    environment = platform.stack.environment.model_copy(update={"ingresses": {}})
    quiet = replace(platform, stack=replace(platform.stack, environment=environment))
    states = {line.state: line.well for line in read_status(quiet) if line.group == "gateways"}
    assert states == {"not asked: nothing is exposed": True}


def test_a_gateway_with_a_host_name_is_shown_with_what_it_leads_to(monkeypatch: pytest.MonkeyPatch) -> None:
    status = {"10.0.0.1": 200, "10.0.0.2": 503}
    monkeypatch.setattr(
        network,
        "resolve",
        lambda gateway: NameAnswer(tuple(status) if gateway.is_name else ("10.0.0.1",), 60),
    )
    monkeypatch.setattr(network, "get_https", lambda address, *_, **__: WebAnswer(status.get(address, 200)))
    lines = [line for line in read_status(platform_of([], {"eu": NAME})) if line.group == "gateways"]
    assert [(line.well, line.name) for line in lines] == [
        (False, f"eu {NAME}, resolved to 10.0.0.1, 10.0.0.2"),
        (True, "us 10.101.2.200"),
    ]
    assert lines[0].state.startswith("10.0.0.2: it answers 503")


def test_a_region_with_several_addresses_is_well_when_all_of_them_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        network, "get_https", lambda address, *_, **__: WebAnswer(503 if address == "10.0.0.2" else 200)
    )
    platform = platform_of([], {"eu": ["10.0.0.1", "10.0.0.2"]})
    (line, _) = [line for line in read_status(platform) if line.group == "gateways"]
    assert (line.name, line.well) == ("eu 10.0.0.1, 10.0.0.2", False)
    assert line.state.startswith("10.0.0.2: it answers 503")


def test_a_region_whose_gateway_has_no_address_is_not_well() -> None:
    lines = read_status(platform_of([], {"eu": "", "us": ""}))
    assert ("gateways", "eu", "no address yet", False) in [
        (line.group, line.name, line.state, line.well) for line in lines
    ]


def held(monkeypatch: pytest.MonkeyPatch, *found: Lock) -> list[Line]:
    """What status says of these locks."""
    monkeypatch.setattr(engine, "backend_url", lambda: "file:///nowhere")
    monkeypatch.setattr(locks, "read_locks", lambda backend, stack: list(found))
    monkeypatch.setattr(network, "get_https", lambda *_, **__: WebAnswer(200))
    monkeypatch.setattr(network, "ask", lambda *_, **__: NameAnswer((), None))
    return [line for line in read_status(make_platform()) if line.group == "locks"]


def test_it_names_who_holds_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock(Path("lock.json"), os.getpid(), "operator", socket.gethostname(), datetime.now(UTC))
    (line,) = held(monkeypatch, lock)
    assert line.well
    assert f"process {os.getpid()} of operator@" in line.state


def test_a_lock_that_was_left_behind_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock(Path("lock.json"), 2**22 + 1, "operator", socket.gethostname(), datetime.now(UTC))
    (line,) = held(monkeypatch, lock)
    assert not line.well
    assert "stale" in line.state


def test_of_a_stack_that_nobody_holds_it_says_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    assert held(monkeypatch) == []


def test_a_lock_that_cannot_be_read_is_told_and_hides_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(stack: str) -> list[Lock]:
        raise OperationsError("lock.json is no readable lock")

    monkeypatch.setattr("live.status.locks_of", broken)
    monkeypatch.setattr(network, "get_https", lambda *_, **__: WebAnswer(200))
    monkeypatch.setattr(network, "ask", lambda *_, **__: NameAnswer((), None))
    first, *others = read_status(make_platform())
    assert not first.well and "no readable lock" in first.state
    assert others


def test_what_gdnsd_counts_is_shown_where_it_tells_it(
    monkeypatch: pytest.MonkeyPatch, edges: dict[str, Executed]
) -> None:
    monkeypatch.setattr(network, "get_https", lambda *_, **__: WebAnswer(200))
    monkeypatch.setattr(network, "ask", lambda *_, **__: NameAnswer((), None))
    stats = {
        "uptime": 5400,
        "stats": {"nxdomain": 3, "refused": 2, "dropped": 1},
        "udp": {"reqs": 90},
        "tcp": {"reqs": 10},
    }
    edges["us-edge-1"] = shown({"10.101.1.200": "UP", "10.101.2.200": "UP"}, stats=stats)
    lines = {line.name: line.state for line in read_status(make_platform()) if line.group == "views"}
    assert lines["us-edge-1 gdnsd"] == (
        "100 questions in 1.5 h (10 by TCP): 3 for unknown names, 2 refused, 1 dropped"
    )
    assert "eu-edge-1 gdnsd" not in lines
