"""The lock on hosts: one holder, who is told when he is not any more, and plays that it does not cross."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from access import host_lock
from access.host_lock import Pass
from report.errors import LockedError, OperationsError

UP = {"what": "pulumi up", "heeds_plays": False}


def order(directory: Path, do: str, run: str, holder: str, number: int = 0, **values: Any) -> str:
    told = host_lock.order(do, run, holder, number, "runbook drain-node", heeds_plays=True)
    what = values.pop("what", told["who"]["what"])
    who = {"owner": f"operator of {holder}", "what": what}
    return json.dumps({**told, "directory": str(directory), "who": who, **values})


def call(directory: Path, do: str, run: str, holder: str, number: int = 0, **values: Any) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(host_lock.SCRIPT)],
        input=order(directory, do, run, holder, number, **values),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


class Staying:
    """One who holds it by a connection that stays open."""

    def __init__(self, *wanted: Any, **values: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(host_lock.SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.first = self.say(order(*wanted, stays=True, **values))

    def say(self, text: str) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        self.process.communicate(timeout=10)


@contextmanager
def play(directory: Path, owner: str) -> Iterator[None]:
    """A play that changes the host, as its guard has the lock."""
    with (directory / "lock").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(json.dumps({"run": "77", "owner": owner}))
        file.flush()
        yield
        file.truncate(0)


def test_one_run_holds_a_host_and_another_one_is_told_who(tmp_path: Path) -> None:
    assert call(tmp_path, "take", "a1", "first") == {"held": True, "number": 1}
    refused = call(tmp_path, "take", "b2", "second")
    assert (refused["held"], refused["owner"], refused["run"]) == (False, "operator of first", "a1")
    assert 0 <= refused["age"] < 10
    assert 0 <= refused["since"] < 10


def test_a_lock_that_was_given_back_is_free_and_its_number_grows(tmp_path: Path) -> None:
    call(tmp_path, "take", "a1", "first")
    assert call(tmp_path, "give back", "a1", "first", 1)["held"]
    assert call(tmp_path, "take", "b2", "second") == {"held": True, "number": 2}


def test_a_lock_without_heartbeats_is_free_and_its_first_holder_finds_that_out(tmp_path: Path) -> None:
    call(tmp_path, "take", "a1", "first")
    time.sleep(0.05)
    taken = call(tmp_path, "take", "b2", "second", seconds=0.01)
    assert (taken["held"], taken["number"]) == (True, 2)
    assert taken["before"]["owner"] == "operator of first", "who did not give it back is named"
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


def test_who_stays_keeps_it_by_each_word_and_gives_it_back_when_his_input_ends(tmp_path: Path) -> None:
    up = Staying(tmp_path, "take", "up-1", "first", **UP)
    assert up.first == {"held": True, "number": 1}
    assert up.say(".") == {"held": True, "number": 1}
    assert not call(tmp_path, "take", "b2", "second")["held"]
    up.close()
    assert call(tmp_path, "take", "b2", "second") == {"held": True, "number": 2}


def test_who_stays_without_a_word_for_as_long_as_it_lives_is_gone(tmp_path: Path) -> None:
    up = Staying(tmp_path, "take", "up-1", "first", seconds=0.2, **UP)
    assert up.process.wait(10) == 0
    assert call(tmp_path, "take", "b2", "second")["held"]
    up.close()


def test_a_connection_that_broke_gives_nothing_back_of_the_one_after_it(tmp_path: Path) -> None:
    broken = Staying(tmp_path, "take", "up-1", "first", **UP)
    again = Staying(tmp_path, "keep", "up-1", "second", 1, again=True, **UP)
    assert again.first["held"]
    broken.close()
    assert again.say(".")["held"]
    assert not call(tmp_path, "take", "b2", "third")["held"]
    again.close()
    assert call(tmp_path, "take", "b2", "third")["held"]


def test_a_lock_that_a_broken_connection_gave_back_is_kept_where_nobody_took_it(tmp_path: Path) -> None:
    broken = Staying(tmp_path, "take", "up-1", "first", **UP)
    broken.close()
    again = Staying(tmp_path, "keep", "up-1", "second", 1, again=True, **UP)
    assert again.first == {"held": True, "number": 1}
    assert not call(tmp_path, "take", "b2", "third")["held"]
    again.close()


def test_who_goes_on_after_another_one_held_it_is_told_so(tmp_path: Path) -> None:
    broken = Staying(tmp_path, "take", "up-1", "first", **UP)
    broken.close()
    call(tmp_path, "take", "b2", "other")
    again = Staying(tmp_path, "keep", "up-1", "second", 1, again=True, **UP)
    assert (again.first["held"], again.first["run"]) == (False, "b2")
    again.close()


def test_a_runbook_is_refused_while_a_play_changes_the_host_and_up_is_not(tmp_path: Path) -> None:
    with play(tmp_path, "somebody@somewhere, eu-cp-1 prepare"):
        refused = call(tmp_path, "take", "a1", "first")
        error = str(host_lock.refusal("eu-cp-1", refused))
        assert not refused["held"]
        assert "eu-cp-1 is being changed by pulumi up: somebody@somewhere, eu-cp-1 prepare, since " in error
        assert call(tmp_path, "take", "up-1", "second", **UP)["held"], "its plays wait for each other"
    call(tmp_path, "give back", "up-1", "second", 1)
    assert call(tmp_path, "take", "a1", "first")["held"]


def test_a_preview_that_looks_at_the_host_holds_nobody_off(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert call(tmp_path, "take", "a1", "first")["held"]


def test_an_up_that_a_runbook_drives_follows_its_lock_and_changes_nothing_of_it(tmp_path: Path) -> None:
    call(tmp_path, "take", "a1", "runbook")
    before = (tmp_path / "runbook").read_text()
    up = Staying(tmp_path, "follow", "a1", "up", 1, **UP)
    assert up.first == {"held": True, "number": 1}
    assert (tmp_path / "runbook").read_text() == before
    call(tmp_path, "take", "a1", "resumed")
    assert not up.say(".")["held"], "whoever goes on with the run has another number"
    up.close()
    assert call(tmp_path, "keep", "a1", "resumed", 2)["held"]


def test_who_holds_it_is_said_with_what_since_when_and_how_to_go_on(tmp_path: Path) -> None:
    call(tmp_path, "take", "a1", "first")
    error = host_lock.refusal("eu-cp-1", call(tmp_path, "take", "up-1", "second", **UP))
    assert isinstance(error, LockedError)
    words = str(error)
    assert "eu-cp-1 is held for runbook drain-node, run a1, by operator of first, since 20" in words
    assert "crossmesh runbook resume" in words
    assert "crossmesh runbook abort" in words
    call(tmp_path, "give back", "a1", "first", 1)
    call(tmp_path, "take", "up-1", "second", **UP)
    words = str(host_lock.refusal("eu-cp-1", call(tmp_path, "take", "a1", "first")))
    assert "eu-cp-1 is held for pulumi up by operator of second" in words
    assert "resume" not in words


def test_a_pass_goes_through_the_environment_as_it_is() -> None:
    shown = Pass("a1", {"eu-cp-1": 3})
    assert Pass.from_json(shown.to_json()) == shown


@pytest.mark.parametrize(
    "text", ["", "x", "[]", '{"run": "a1"}', '{"run": "a1", "numbers": {"h": "x"}}', "3"]
)
def test_what_is_no_pass_is_refused_with_the_variable_s_name(text: str) -> None:
    with pytest.raises(OperationsError, match=host_lock.PASS):
        Pass.from_json(text)
