"""Points of hosts: which apply to whom, hosts that do not answer, and clusters without machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from access.errors import Unanswered
from access.ssh import Connection
from live.hardening import machines
from live.hardening.model import Scope, State
from live.hardening.points import OF_HOSTS, ORDER
from stacks.load import load_stack
from tests.unit.live.hardening.test_host_script import told
from tests.unit.operations.support import ROOT, STACK

STAGING = load_stack(ROOT / "stacks" / "Pulumi.staging.yaml")
EMPTY: dict[str, Any] = {
    "files": {},
    "arguments": {},
    "kubelet": [],
    "sshd": {"permitrootlogin": "no"},
    "sysctls": {"kernel.panic": "10"},
    "encryption": None,
    "authentication": None,
    "audit": None,
}


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines.logins, "login", lambda stack, host, address: host)


def test_each_host_has_the_points_of_what_it_is() -> None:
    entries = machines.look(STACK, ["eu"], lambda host, connection: EMPTY)
    scopes = {
        name: {entry.point.scope for entry in entries if entry.at == name}
        for name in ("eu-cp-1", "eu-worker-1", "eu-edge-1")
    }
    assert scopes == {
        "eu-cp-1": {Scope.CONTROL_PLANE, Scope.NODE, Scope.HOST},
        "eu-worker-1": {Scope.NODE, Scope.HOST},
        "eu-edge-1": {Scope.HOST},
    }
    assert len([entry for entry in entries if entry.at == "eu-cp-1"]) == len(OF_HOSTS)
    states = {(entry.at, entry.point.number): entry.state for entry in entries}
    assert states["eu-edge-1", "H.4"] is State.HOLDS
    assert states["eu-worker-1", "H.9"] is State.HOLDS
    assert states["eu-cp-1", "1.2.15"] is State.UNKNOWN


def test_a_host_that_does_not_answer_is_not_known_and_hides_no_other() -> None:
    def ask(host: str, connection: Connection) -> Any:
        if host == "eu-cp-1":
            raise Unanswered("eu-cp-1: no route to it", fix="mend it")
        return EMPTY

    entries = machines.look(STACK, ["us", "eu"], ask)
    silent = [entry for entry in entries if entry.at == "eu-cp-1"]
    assert {(entry.state, entry.verdict.there, entry.mend) for entry in silent} == {
        (State.UNKNOWN, "no route to it", "mend it")
    }
    assert len(silent) == len(OF_HOSTS)
    assert State.HOLDS in {entry.state for entry in entries if entry.at == "us-cp-1"}


def test_of_an_adopted_cluster_s_machines_nothing_is_asked() -> None:
    def ask(host: str, connection: Connection) -> Any:
        raise AssertionError(f"{host} was asked")

    entries = machines.look(STAGING, ["cloud"], ask)
    assert {entry.point.number for entry in entries} == {
        point.number for point in OF_HOSTS if point.scope is not Scope.HOST
    }
    assert {(entry.at, entry.state) for entry in entries} == {("cluster", State.NOT_APPLICABLE)}
    assert "adopted" in entries[0].verdict.there


def test_it_is_asked_by_ssh_with_an_order_and_no_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def ask(host: str, connection: Connection, source: bytes, order: Any, **rest: Any) -> Any:
        asked.update(source=source, order=order)
        return EMPTY

    monkeypatch.setattr(machines.ssh, "ask", ask)
    assert machines.asked("eu-cp-1", Connection("192.0.2.1", "root", "", "/known_hosts")) == EMPTY
    assert asked["order"] == ORDER and asked["order"]["root"] == ""
    assert json.dumps(asked["order"])
    assert b"def main" in asked["source"]


def test_what_is_asked_for_is_what_points_look_at(tmp_path: Path) -> None:
    facts, _ = told(tmp_path)
    assert set(facts.files) == set(ORDER["files"])
