"""A run of a runbook: its steps, its kills at each of them, and its way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from report.errors import CancelledError, LockedError, OperationsError
from report.problem import Problem
from runbooks import journal as journals
from runbooks.engine import RunFailedError, Runner
from runbooks.history import Past, estimate, runs, unfinished
from runbooks.journal import Journal, Outcome
from runbooks.model import Blast, Facts, Runbook, Step

STEPS = ("first", "second", "third")


class Kill(BaseException):
    """Stands for `kill -9`: nothing of the process runs after it."""


class World:
    """What steps bring about, and where they are killed or fail."""

    def __init__(self) -> None:
        self.done: dict[str, str] = {}
        self.log: list[str] = []
        self.kill = self.fail = ""
        self.refuse = ""
        self.lost_words = ""
        self.run = ""
        self.tell = lambda text: None
        self.lost = lambda: self.lost_words

    def places(self) -> Sequence[Any]:
        return ()

    def at(self, moment: str) -> None:
        self.log.append(moment)
        if self.kill == moment:
            raise Kill
        if self.fail == moment:
            raise OperationsError(f"{moment} failed")


def step(name: str) -> Step[World]:
    def do(world: World) -> None:
        world.at(f"begin {name}")
        world.done[name] = "ours"
        world.at(f"end {name}")

    def undo(world: World, before: Facts) -> None:
        world.at(f"undo {name}")
        if not before["there"]:
            world.done.pop(name, None)

    def check(world: World) -> list[Problem]:
        return [Problem(f"{name} may not be")] if world.refuse == name else []

    return Step(
        name,
        f"do the {name}",
        do=do,
        verify=lambda world: "" if name in world.done else f"{name} is lacking",
        check=check,
        before=lambda world: {"there": name in world.done},
        undo=undo,
    )


@contextmanager
def opened(stack: str, values: Mapping[str, str]) -> Iterator[World]:
    yield World()


def book(**changes: Any) -> Runbook[World]:
    values: dict[str, Any] = {
        "name": "work",
        "title": "Work",
        "says": "…",
        "parameters": (),
        "opened": opened,
        "blast": lambda world: Blast("it", []),
        "preconditions": lambda world: [],
        "steps": tuple(step(name) for name in STEPS),
        "postconditions": lambda world: [],
    }
    return Runbook(**{**values, **changes})


def begin(directory: Path, world: World, run: str = "a1", **changes: Any) -> None:
    with journals.opened(directory) as journal:
        Runner(book(**changes), world, journal, world.log.append).begin(run, {"x": "y"}, "it")


def resume(directory: Path, world: World, **changes: Any) -> None:
    with journals.opened(directory) as journal:
        Runner(book(**changes), world, journal, world.log.append).resume(past(journal))


def past(journal: Journal) -> Past:
    found = unfinished(journal.entries)
    assert found is not None
    return found


def last(directory: Path) -> Past:
    return runs(journals.read(directory))[-1]


MOMENTS = [f"{when} {name}" for name in STEPS for when in ("begin", "end")]


def test_steps_are_done_in_their_order_and_the_journal_says_so(tmp_path: Path) -> None:
    world = World()
    begin(tmp_path, world)
    assert list(world.done) == list(STEPS)
    ended = last(tmp_path)
    assert (ended.outcome, list(ended.reached)) == (Outcome.SUCCEEDED, list(STEPS))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_was_killed_anywhere_ends_as_an_undisturbed_one(tmp_path: Path, moment: str) -> None:
    world = World()
    world.kill = moment
    with pytest.raises(Kill):
        begin(tmp_path, world)
    assert last(tmp_path).outcome is None
    world.kill = ""
    resume(tmp_path, world)
    assert list(world.done) == list(STEPS)
    assert last(tmp_path).outcome is Outcome.SUCCEEDED
    # What was reached before the kill is not done a second time.
    ended = [entry for entry in world.log if entry.startswith("end ")]
    assert len(ended) == len(set(ended)) or moment.startswith("end ")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_was_killed_anywhere_can_be_taken_back(tmp_path: Path, moment: str) -> None:
    world = World()
    world.done["second"] = "somebody else's"
    world.kill = moment
    try:
        begin(tmp_path, world)
    except Kill:
        world.kill = ""
        with journals.opened(tmp_path) as journal:
            assert Runner(book(), world, journal, world.log.append).abort(past(journal)) == []
        assert last(tmp_path).outcome is Outcome.TAKEN_BACK
        assert world.done == {"second": "somebody else's"}
    else:
        assert moment.endswith("second")
        assert world.done["second"] == "somebody else's"


@pytest.mark.parametrize("kill", ["undo second", "undo first"])
def test_taking_back_that_was_killed_goes_on(tmp_path: Path, kill: str) -> None:
    world = World()
    world.fail, world.kill = "end third", kill
    with pytest.raises(Kill):
        begin(tmp_path, world)
    world.fail = world.kill = ""
    with journals.opened(tmp_path) as journal:
        Runner(book(), world, journal, world.log.append).abort(past(journal))
    assert world.done == {}


def test_a_failure_takes_back_what_this_run_did_last_first(tmp_path: Path) -> None:
    world = World()
    world.done["first"] = "somebody else's"
    world.fail = "end third"
    with pytest.raises(RunFailedError, match=r"end third failed\nWhat run a1 did was taken back"):
        begin(tmp_path, world)
    assert world.done == {"first": "somebody else's"}
    assert [entry for entry in world.log if entry.startswith("undo")] == ["undo third", "undo second"]
    assert last(tmp_path).outcome is Outcome.TAKEN_BACK


def test_what_cannot_be_undone_is_named(tmp_path: Path) -> None:
    world = World()
    world.fail = "end third"
    one_way = Step(**{**vars(step("second")), "undo": None, "one_way": "nothing reads the old format"})
    steps = (step("first"), one_way, step("third"))
    with pytest.raises(RunFailedError, match=r"what stays: second \(nothing reads the old format\)"):
        begin(tmp_path, world, steps=steps)
    assert world.done == {"second": "ours"}
    assert last(tmp_path).outcome is Outcome.LEFT


def test_where_the_runbook_says_so_a_failure_stands_and_is_gone_on_with(tmp_path: Path) -> None:
    world = World()
    world.fail = "begin second"
    with pytest.raises(RunFailedError, match="crossmesh runbook resume"):
        begin(tmp_path, world, takes_back=False)
    assert list(world.done) == ["first"]
    assert last(tmp_path).trouble == "begin second failed"
    world.fail = ""
    resume(tmp_path, world, takes_back=False)
    assert last(tmp_path).outcome is Outcome.SUCCEEDED


def test_what_stands_against_a_step_is_asked_before_it_is_begun(tmp_path: Path) -> None:
    world = World()
    world.refuse = "second"
    with pytest.raises(RunFailedError, match="second: second may not be"):
        begin(tmp_path, world)
    assert "begin second" not in world.log
    assert world.done == {}


def test_a_step_that_was_done_and_cannot_be_verified_has_failed(tmp_path: Path) -> None:
    world = World()
    blind = Step(**{**vars(step("second")), "verify": lambda world: "nobody answers"})
    with pytest.raises(RunFailedError, match="second: done, and nobody answers"):
        begin(tmp_path, world, steps=(step("first"), blind))


def test_nothing_is_begun_any_more_once_the_lock_is_lost(tmp_path: Path) -> None:
    world = World()
    original = step("first")

    def do(world: World) -> None:
        original.do(world)
        world.lost_words = "the lock on eu-1 is another's now"

    with pytest.raises(CancelledError, match="stopped before second: the lock on eu-1 is another's now"):
        begin(tmp_path, world, steps=(Step(**{**vars(original), "do": do}), step("second")))
    assert list(world.done) == ["first"]
    assert last(tmp_path).outcome is None


def test_an_interruption_leaves_it_where_it_is(tmp_path: Path) -> None:
    def interrupted(world: World) -> None:
        raise KeyboardInterrupt

    with pytest.raises(CancelledError, match="stands where it is"):
        begin(tmp_path, World(), steps=(step("first"), Step(**{**vars(step("second")), "do": interrupted})))
    assert last(tmp_path).outcome is None


def test_another_run_is_not_begun_before_the_last_one_has_ended(tmp_path: Path) -> None:
    world = World()
    world.kill = "end first"
    with pytest.raises(Kill):
        begin(tmp_path, world)
    with pytest.raises(LockedError, match=r"run a1, work x=y, begun by .*, has not ended"):
        begin(tmp_path, World(), "b2")


def test_postconditions_that_do_not_hold_fail_the_run(tmp_path: Path) -> None:
    problem = Problem("the node is not ready")
    with pytest.raises(RunFailedError, match="all steps are done, and the node is not ready"):
        begin(tmp_path, World(), postconditions=lambda world: [problem])


def test_how_long_it_takes_is_known_from_runs_that_succeeded(tmp_path: Path) -> None:
    assert estimate([], "work", STEPS) == (0.0, 0)
    begin(tmp_path, World())
    failing = World()
    failing.fail = "end first"
    with pytest.raises(RunFailedError):
        begin(tmp_path, failing, "b2")
    seconds, of = estimate(journals.read(tmp_path), "work", STEPS)
    assert of == 1
    assert 0 <= seconds < 1
