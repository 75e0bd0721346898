"""Locks of runbooks: one holder, who is told when he is not any more."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from access.errors import Conflict, Unanswered
from report.errors import LockedError
from runbooks import locks

SCRIPT = Path(locks.__file__).with_name("lock_script.py")


def call(
    directory: Path, do: str, run: str, holder: str, number: int = 0, seconds: float = 60
) -> dict[str, Any]:
    order = {
        "do": do,
        "run": run,
        "holder": holder,
        "number": number,
        "seconds": seconds,
        "directory": str(directory),
        "who": {"owner": f"operator of {holder}"},
    }
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], input=json.dumps(order), capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout))


def test_one_run_holds_a_host_and_another_one_is_told_who(tmp_path: Path) -> None:
    assert call(tmp_path, "take", "a1", "first") == {"held": True, "number": 1}
    refused = call(tmp_path, "take", "b2", "second")
    assert (refused["held"], refused["owner"]) == (False, "operator of first")
    assert 0 <= refused["age"] < 10


def test_a_lock_that_was_given_back_is_free_and_its_number_grows(tmp_path: Path) -> None:
    call(tmp_path, "take", "a1", "first")
    assert call(tmp_path, "give back", "a1", "first", 1)["held"]
    assert call(tmp_path, "take", "b2", "second") == {"held": True, "number": 2}


def test_a_lock_without_heartbeats_is_free_and_its_first_holder_finds_that_out(tmp_path: Path) -> None:
    call(tmp_path, "take", "a1", "first")
    time.sleep(0.05)
    assert call(tmp_path, "take", "b2", "second", seconds=0.01) == {"held": True, "number": 2}
    assert not call(tmp_path, "keep", "a1", "first", 1)["held"]
    assert not call(tmp_path, "give back", "a1", "first", 1)["held"]
    assert call(tmp_path, "keep", "b2", "second", 2)["held"]


def test_a_run_that_is_gone_on_with_takes_over_from_its_dead_process_at_once(tmp_path: Path) -> None:
    call(tmp_path, "take", "a1", "killed")
    assert call(tmp_path, "take", "a1", "resumed") == {"held": True, "number": 2}
    assert not call(tmp_path, "keep", "a1", "killed", 1)["held"]


def test_a_broken_lock_file_holds_nobody_off(tmp_path: Path) -> None:
    (tmp_path / "runbook").write_text('{"run": "a')
    assert call(tmp_path, "take", "a1", "first")["held"]


def test_a_lock_file_is_not_for_others_to_read(tmp_path: Path) -> None:
    call(tmp_path, "take", "a1", "first")
    assert (tmp_path / "runbook").stat().st_mode & 0o077 == 0


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
    first.take("a1")
    with pytest.raises(LockedError, match=r"cluster of eu is held for a runbook by .*run a1"):
        second.take("b2")
    assert first.beat()
    first.give_back()
    second.take("b2")
    assert second.beat()
    assert not first.beat()
    assert api.lease is not None
    assert api.lease["spec"]["leaseTransitions"] == 2


def test_a_lease_that_somebody_else_took_meanwhile_is_lost_and_not_given_back() -> None:
    api = Api()
    first = lease(api)
    first.take("a1")
    assert api.lease is not None
    api.lease["spec"]["renewTime"] = "2020-01-01T00:00:00.000000Z"
    second = lease(api)
    second.take("b2")
    first.give_back()
    assert not first.beat()
    assert second.beat()


class Fake:
    """A place that does as it is told."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log
        self.refuses = self.silent = self.taken_away = self.down = False

    def take(self, run: str) -> None:
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
    with pytest.raises(LockedError), locks.held([second, first], "a1", log.append):
        pass
    assert log == ["take eu-1", "give back eu-1"]


def test_a_place_that_another_took_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_BEAT", 0.01)
    log: list[str] = []
    place = Fake("eu-1", log)
    with locks.held([place], "a1", log.append) as keeper:
        assert keeper.lost == ""
        place.taken_away = True
        deadline = time.monotonic() + 5
        while not keeper.lost and time.monotonic() < deadline:
            time.sleep(0.01)
        assert keeper.lost == "the lock on eu-1 is another's now"


def test_a_place_that_is_silent_for_too_long_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_BEAT", 0.01)
    monkeypatch.setattr(locks, "SECONDS", 0.1)
    place = Fake("eu-1", [])
    place.silent = True
    with locks.held([place], "a1", lambda text: None) as keeper:
        assert keeper.lost == ""
        time.sleep(0.2)
        assert "nothing was heard from eu-1" in keeper.lost


def test_of_three_places_one_may_be_silent_and_no_other_run_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host that is to be mended is one of them."""
    monkeypatch.setattr(locks, "_BEAT", 0.01)
    monkeypatch.setattr(locks, "SECONDS", 0.1)
    log: list[str] = []
    first, second, third = (Fake(f"eu-{number}", log) for number in (1, 2, 3))
    second.down = True
    with locks.held([first, second, third], "a1", log.append) as keeper:
        assert log == ["take eu-1", "held without eu-2: eu-2 does not answer", "take eu-3"]
        time.sleep(0.2)
        assert keeper.lost == ""
        third.silent = True
        time.sleep(0.2)
        assert "nothing was heard from eu-3" in keeper.lost
    third.down = True
    with pytest.raises(Unanswered), locks.held([first, second, third], "a1", log.append):
        pass
    assert log[-1] == "give back eu-1"
