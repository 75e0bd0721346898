"""Locks of runbooks: one holder, who is told when he is not any more."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from access.errors import Conflict, Unanswered
from access.host_lock import Pass
from report.errors import LockedError
from runbooks import locks


class Api:
    """An API server with one Lease."""

    region = "eu"

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0

    def get(self, path: str) -> dict[str, Any] | None:
        return json.loads(json.dumps(self.lease))

    def post(self, path: str, body: dict[str, Any]) -> None:
        if self.lease:
            raise Conflict("it is there")
        self.lease = {"metadata": {**body["metadata"], "resourceVersion": "0"}, "spec": dict(body["spec"])}

    def patch(self, path: str, body: dict[str, Any]) -> None:
        assert self.lease is not None
        if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict("it was changed")
        self.version += 1
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        spec = {**self.lease["spec"], **body["spec"]}
        self.lease["spec"] = {key: value for key, value in spec.items() if value is not None}


def lease(api: Api) -> locks.InCluster:
    return locks.InCluster(api)  # type: ignore[arg-type]


def test_an_adopted_cluster_is_held_by_a_lease() -> None:
    api, second = Api(), lease(Api())
    first, second = lease(api), lease(api)
    first.take("a1", "runbook x")
    with pytest.raises(LockedError, match=r"cluster of eu is held for a runbook by .*runbook x, run a1"):
        second.take("b2", "runbook y")
    assert first.beat()
    first.give_back()
    second.take("b2", "runbook y")
    assert second.beat()
    assert not first.beat()
    assert api.lease is not None
    assert api.lease["spec"]["leaseTransitions"] == 2


def test_a_lease_that_somebody_else_took_meanwhile_is_lost_and_not_given_back() -> None:
    api = Api()
    first = lease(api)
    first.take("a1", "runbook x")
    assert api.lease is not None
    api.lease["spec"]["renewTime"] = "2020-01-01T00:00:00.000000Z"
    second = lease(api)
    second.take("b2", "runbook y")
    first.give_back()
    assert not first.beat()
    assert second.beat()


class Fake:
    """A place that does as it is told."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.number = 7
        self.log = log
        self.refuses = self.silent = self.taken_away = self.down = False

    def take(self, run: str, what: str) -> None:
        if self.down:
            raise Unanswered(f"{self.name} does not answer")
        if self.refuses:
            raise LockedError("held")
        self.log.append(f"take {self.name}")

    def beat(self) -> bool:
        if self.silent:
            raise Unanswered("silence")
        return not self.taken_away

    def give_back(self) -> None:
        self.log.append(f"give back {self.name}")


def test_all_places_are_held_or_none() -> None:
    log: list[str] = []
    first, second = Fake("eu-1", log), Fake("eu-2", log)
    second.refuses = True
    with pytest.raises(LockedError), locks.held([second, first], "a1", "runbook x", log.append):
        pass
    assert log == ["take eu-1", "give back eu-1"]


def test_a_place_that_another_took_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "BEAT", 0.01)
    log: list[str] = []
    place = Fake("eu-1", log)
    with locks.held([place], "a1", "runbook x", log.append) as keeper:
        assert keeper.lost == ""
        place.taken_away = True
        deadline = time.monotonic() + 5
        while not keeper.lost and time.monotonic() < deadline:
            time.sleep(0.01)
        assert keeper.lost == "the lock on eu-1 is another's now"


def test_a_place_that_is_silent_for_too_long_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "BEAT", 0.01)
    monkeypatch.setattr(locks, "SECONDS", 0.1)
    place = Fake("eu-1", [])
    place.silent = True
    with locks.held([place], "a1", "runbook x", lambda text: None) as keeper:
        assert keeper.lost == ""
        time.sleep(0.2)
        assert "nothing was heard from eu-1" in keeper.lost


def test_of_three_places_one_may_be_silent_and_no_other_run_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host that is to be mended is one of them."""
    monkeypatch.setattr(locks, "BEAT", 0.01)
    monkeypatch.setattr(locks, "SECONDS", 0.1)
    log: list[str] = []
    first, second, third = (Fake(f"eu-{number}", log) for number in (1, 2, 3))
    second.down = True
    with locks.held([first, second, third], "a1", "runbook x", log.append) as keeper:
        assert log == ["take eu-1", "held without eu-2: eu-2 does not answer", "take eu-3"]
        time.sleep(0.2)
        assert keeper.lost == ""
        third.silent = True
        time.sleep(0.2)
        assert "nothing was heard from eu-3" in keeper.lost
    third.down = True
    with pytest.raises(Unanswered), locks.held([first, second, third], "a1", "runbook x", log.append):
        pass
    assert log[-1] == "give back eu-1"


def test_what_a_run_shows_to_an_up_names_its_locks_on_hosts_alone() -> None:
    first, second = Fake("eu-1", []), Fake("cluster of us", [])
    second.number = 0
    with locks.held([first, second], "a1", "runbook x", lambda text: None) as keeper:
        assert keeper.passed("a1") == Pass("a1", {"eu-1": 7})
