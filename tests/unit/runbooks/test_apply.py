"""`up` as a run on the journal: what it touches, what it is let in by, and how it is gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from access import host_lock
from access.host_lock import Pass
from gate.preview import Preview
from playbooks.phase import LEAVE_HOSTS
from playbooks.tokens import HOST_PHASE
from report.errors import LockedError, OperationsError, PulumiError
from runbooks import apply, drive
from runbooks import journal as journals
from runbooks.apply import APPLY, ApplySite, Change, Pulumi, changes, errors
from runbooks.engine import RunFailedError
from runbooks.history import runs
from runbooks.journal import Outcome

PREPARED = Change("update", "eu-worker-1.prepare", "eu-worker-1", "prepare")
OBJECT = Change("create", "eu.web", "", "")


class Kill(BaseException):
    """Stands for `kill -9`."""


class World:
    """A stack that differs until `up` has run."""

    def __init__(self, *found: Change) -> None:
        self.found = list(found)
        self.leftovers: list[str] = []
        self.log: list[str] = []
        self.at_up: Callable[[], None] = lambda: None

    def differs(self) -> list[Change]:
        return self.found

    def left(self) -> list[str]:
        return self.leftovers

    def up(self, shown: Pass, tell: Callable[[str], None]) -> None:
        self.log.append(f"up of {shown.run} by {dict(shown.numbers)}, after {', '.join(self.leftovers)}")
        self.leftovers = []
        self.at_up()
        self.found = []


class Place:
    """A host of a control plane, or what stands for it."""

    name, number = "eu-cp-1", 7

    def take(self, run: str, what: str) -> None:
        assert what == "runbook apply"

    def beat(self) -> bool:
        return True

    def give_back(self) -> None:
        pass


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(PREPARED, OBJECT)
    stack: Any = SimpleNamespace(name="lab")

    @contextmanager
    def opened(name: str, values: Mapping[str, str]) -> Iterator[ApplySite]:
        yield ApplySite(stack, found, [Place()])

    book = replace(APPLY, opened=opened)
    monkeypatch.setattr(drive, "named", lambda name: book)
    monkeypatch.setattr(journals, "home", lambda name: tmp_path)
    return found


def run(world: World) -> None:
    with drive.opened("apply", "lab", {}) as (book, site, values):
        drive.run(book, site, values, "lab", "--yes", world.log.append)


def told(tmp_path: Path) -> Any:
    return runs(journals.read(tmp_path))[-1]


def test_what_is_touched_is_told_host_by_host_before(world: World) -> None:
    world.found = [
        Change("delete", "us-w.join", "us-w", "join"),
        PREPARED,
        replace(PREPARED, phase="join"),
        *(replace(OBJECT, name=f"o{number}") for number in range(8)),
    ]
    with drive.opened("apply", "lab", {}) as (book, site, values):
        plan = drive.plan(book, site, values, [])
    assert plan.blast.confirm == "lab"
    assert plan.blast.touched == [
        "host eu-worker-1: prepare, join",
        "host us-w: join is taken back",
        "8 resources that are no hosts': create o0, create o1, create o2, create o3, create o4, create o5, "
        "and 2 more",
    ]
    assert [step for step, _, lacking in plan.due if lacking] == ["up"]
    assert world.log == []


def test_up_is_let_in_by_the_run_s_own_locks_and_stands_in_the_journal(world: World, tmp_path: Path) -> None:
    run(world)
    past = told(tmp_path)
    assert past.outcome is Outcome.SUCCEEDED
    assert [line for line in world.log if line.startswith("up of")] == [
        f"up of {past.run} by {{'eu-cp-1': 7}}, after "
    ]
    assert set(past.reached) == {"up"}


def test_with_nothing_to_do_nothing_is_run(world: World, tmp_path: Path) -> None:
    world.found = []
    run(world)
    assert not any("up of" in line for line in world.log)
    assert told(tmp_path).outcome is Outcome.SUCCEEDED


def test_one_that_was_killed_is_gone_on_with_and_what_its_up_left_is_settled(
    world: World, tmp_path: Path
) -> None:
    def kill() -> None:
        world.leftovers = ["its lock", "eu-worker-1.prepare was interrupted while updating"]
        raise Kill

    world.at_up = kill
    with pytest.raises(Kill):
        run(world)
    with pytest.raises(LockedError, match="has not ended"):
        run(world)
    world.at_up = lambda: None
    drive.resume("lab", world.log.append)
    assert told(tmp_path).outcome is Outcome.SUCCEEDED
    last = [line for line in world.log if line.startswith("up of")][-1]
    assert last.endswith("after its lock, eu-worker-1.prepare was interrupted while updating")


def test_one_that_failed_stands_where_it_is(world: World, tmp_path: Path) -> None:
    def fail() -> None:
        raise PulumiError("`pulumi up` failed: the disk is full")

    world.at_up = fail
    with pytest.raises(RunFailedError, match="the disk is full"):
        run(world)
    assert told(tmp_path).outcome is None
    world.at_up = lambda: None
    past, stays = drive.abort("lab", world.log.append)
    assert past.runbook == "apply"
    assert stays == ["up (turn the declaration back, and run it again)"]


def test_an_up_that_leaves_something_undone_is_no_success() -> None:
    class Stubborn(World):
        def up(self, shown: Pass, tell: Callable[[str], None]) -> None:
            pass

    stubborn = Stubborn(PREPARED)
    site = ApplySite(SimpleNamespace(name="lab"), stubborn, [])  # type: ignore[arg-type]
    site.up()
    assert APPLY.steps[0].verify(site) == "not as declared: eu-worker-1.prepare"


def event(op: str, token: str, name: str, **inputs: str) -> dict[str, Any]:
    urn = f"urn:pulumi:s::crossmesh::{token}::{name}"
    return {"resourcePreEvent": {"metadata": {"op": op, "urn": urn, "new": {"inputs": inputs}}}}


def test_changes_are_those_of_the_preview_without_components() -> None:
    said = Preview(
        (
            event("same", "kubernetes:core/v1:Service", "a"),
            event("update", "pulumi:pulumi:Stack", "s"),
            event("create", "kubernetes:core/v1:Service", "b"),
            event("update", HOST_PHASE, "eu-worker-1.prepare", host="eu-worker-1", phase="prepare"),
        ),
        succeeded=True,
        words="",
    )
    assert changes(said) == [Change("create", "b"), PREPARED]


def test_the_engine_s_own_words_say_why_it_failed() -> None:
    said = {"diagnosticEvent": {"severity": "error", "message": "no room\n"}}
    assert errors(Preview((said,), succeeded=False, words="x")) == "no room"
    assert errors(Preview((), succeeded=False, words="no stack")) == "no stack"
    assert errors(Preview((), succeeded=False, words="")) == "it did not say why"


def test_the_pass_goes_to_the_engine_and_to_no_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def fake(workspace: Any, arguments: list[str], *, timeout: float, on_event: Any) -> Preview:
        seen.append(dict(workspace.environment))
        return Preview((), succeeded=False, words="away")

    monkeypatch.setattr(apply, "run", fake)
    monkeypatch.setattr(apply.applied, "bring_about", lambda *given: seen.append(given))
    Pulumi("lab").up(Pass("a1", {"eu-cp-1": 3}), print)
    ((stack, _, more),) = seen
    assert stack == "lab"
    assert Pass.from_json(more[host_lock.PASS]) == Pass("a1", {"eu-cp-1": 3})
    with pytest.raises(OperationsError, match="cannot tell what would change: away"):
        Pulumi("lab").differs()
    assert host_lock.PASS not in seen[-1]
    assert seen[-1][LEAVE_HOSTS]


def test_a_stack_that_somebody_else_changes_is_no_place_to_begin() -> None:
    class Locked(World):
        def left(self) -> list[str]:
            raise LockedError("stack 'lab' is being changed", fix="wait")

    site = ApplySite(SimpleNamespace(name="lab"), Locked(PREPARED), [])  # type: ignore[arg-type]
    (problem,) = APPLY.preconditions(site)
    assert problem.blocks
    assert problem.what == APPLY.steps[0].verify(site) == "stack 'lab' is being changed"
