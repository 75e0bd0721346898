"""A rotation of a cluster's authority: stage by stage, left standing in between, killed anywhere, and
refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.crossmesh.nodes.plugins.module_utils import trust

from access.errors import Unanswered
from playbooks.work.clusters import authority_name
from report.errors import CancelledError, ConfigurationError, OperationsError
from report.problem import Problem
from runbooks import journal as journals
from runbooks.engine import RunFailedError, Runner
from runbooks.history import runs, unfinished
from runbooks.journal import Outcome
from runbooks.rotation import authority
from runbooks.rotation.authority import ROTATE_AUTHORITY, STAGES, AuthoritySite
from runbooks.rotation.holders import Holder
from tests.unit.operations.support import issue

HOSTS = ("eu-cp-1", "eu-cp-2", "eu-worker-1")
MADE = {number: issue(authority_name("eu", number), ca=True).pem for number in (1, 2)}
NAMES = {number: trust.names(pem)[0] for number, pem in MADE.items()}


class Kill(BaseException):
    """Stands for `kill -9`."""


class World(AuthoritySite):
    """A declaration, nodes that are changed in turn, and pods that hold what they were started with."""

    def __init__(self, until: str = STAGES[-1]) -> None:
        ways: Any = dict.fromkeys(HOSTS, None)
        super().__init__("lab", "eu", 2, "certificateAuthorities", ways, ways=ways, until=until)
        self.control = dict.fromkeys(HOSTS[:2])  # type: ignore[assignment]
        self.numbers, self.made = [1], {1}
        self.trusts = {host: [NAMES[1]] for host in HOSTS}
        self.shows = dict.fromkeys(HOSTS, NAMES[1])
        self.pods = {"kube-proxy": [NAMES[1]], "istiod": [NAMES[1]]}
        self.told = [NAMES[1]]
        self.steps = self.kill_at = 0
        self.pending: list[Problem] = []
        self.silent: set[str] = set()
        self.stubborn = False
        self.late = 0
        """So often pods are asked for what they were told, until they are told of the last stage."""

    @property
    def spec(self) -> Any:
        return SimpleNamespace(certificate_authorities=tuple(self.numbers))

    def certificates(self) -> dict[int, str]:
        return {number: MADE[number] for number in sorted({*self.numbers, 2}) if number in self.made}

    def look(self, host: str, known: Sequence[str]) -> dict[str, Any]:
        if host in self.silent:
            raise Unanswered(f"{host} does not answer")
        return {"trusts": sorted(self.trusts[host]), "shows": [self.shows[host]]}

    def unapplied(self) -> list[Problem]:
        return self.pending

    def published(self) -> list[str]:
        if self.late and self.numbers == [2]:
            self.late -= 1
            return [NAMES[2], NAMES[1]]
        return self.told

    def holders(self) -> list[Holder]:
        return [
            Holder("Deployment", "x", name) for name, held in sorted(self.pods.items()) if held != self.told
        ]

    def restart(self, holder: Holder) -> None:
        self.tick()
        if not self.stubborn:
            self.pods[holder.name] = list(self.told)
        self.tick()

    def tick(self) -> None:
        self.connected()
        self.steps += 1
        if self.steps == self.kill_at:
            raise Kill

    def bring_about(self, numbers: Sequence[int]) -> None:
        if why := self.lost():
            raise CancelledError(f"stopped: {why}")
        self.tick()
        self.numbers = list(numbers)
        self.made |= set(numbers)
        for host in HOSTS:
            self.tick()
            self.trusts[host] = [NAMES[number] for number in numbers]
            self.shows[host] = NAMES[numbers[0]]
        self.told = [NAMES[number] for number in numbers]
        self.made &= set(numbers)
        self.tick()

    def connected(self) -> None:
        """Whoever connects trusts what he is shown; pods connect to control planes."""
        for host in HOSTS:
            assert set(self.shows.values()) <= set(self.trusts[host])
        for held in self.pods.values():
            assert {self.shows[host] for host in HOSTS[:2]} <= set(held), self.pods


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "until", lambda lacking, what, tell: None)


def go(root: Path, world: World, run: str = "a1") -> None:
    world.run = run
    with journals.opened(root) as journal:
        past = unfinished(journal.entries)
        runner = Runner(ROTATE_AUTHORITY, world, journal, world.tell)
        if past:
            runner.resume(past)
        else:
            runner.begin(run, {}, "eu")


def rotated(world: World) -> bool:
    only = all(world.trusts[host] == [NAMES[2]] and world.shows[host] == NAMES[2] for host in HOSTS)
    return only and world.numbers == [2] and world.made == {2}


def test_pods_that_are_told_a_moment_later_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authority, "until", lambda lacking, what, tell: list(iter(lacking, "")))
    world = World()
    world.late = 3
    go(tmp_path, world)
    assert rotated(world)


def test_all_stages_end_with_the_new_one_alone(tmp_path: Path) -> None:
    world = World()
    assert ROTATE_AUTHORITY.preconditions(world) == []
    go(tmp_path, world)
    assert rotated(world)
    steps = world.steps
    go(tmp_path, world, "b2")
    assert world.steps == steps, "one that is done does nothing"
    assert "nothing: authority 2" in ROTATE_AUTHORITY.blast(world).touched[0]


def test_it_may_stand_after_each_stage_and_goes_on_by_another_run(tmp_path: Path) -> None:
    world = World()
    wanted = {"trust": [1, 2], "pods": [1, 2], "issue": [2, 1], "retire": [2]}
    for number, stage in enumerate(STAGES):
        world.until = stage
        assert ROTATE_AUTHORITY.preconditions(world) == []
        assert str(wanted[stage]) in ROTATE_AUTHORITY.blast(world).touched[0]
        go(tmp_path, world, f"r{number}")
        world.connected()
        assert world.numbers == wanted[stage]
    assert rotated(world)


def clean_steps() -> int:
    world = World()
    for step in ROTATE_AUTHORITY.steps:
        step.do(world)
    return world.steps


@pytest.mark.parametrize("number", range(1, 20))
def test_one_that_was_killed_anywhere_goes_on(tmp_path: Path, number: int) -> None:
    world = World()
    world.kill_at = number
    with pytest.raises(Kill):
        go(tmp_path, world)
    world.connected()
    go(tmp_path, world)
    assert rotated(world)


def test_the_test_above_kills_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clean_steps() == 19


@pytest.mark.parametrize("number", range(1, 15))
def test_one_that_was_killed_before_the_old_one_went_can_be_taken_back(tmp_path: Path, number: int) -> None:
    world = World()
    world.kill_at = number
    with pytest.raises(Kill):
        go(tmp_path, world)
    with journals.opened(tmp_path) as journal:
        past = unfinished(journal.entries)
        assert past
        assert Runner(ROTATE_AUTHORITY, world, journal, world.tell).abort(past) == []
        assert runs(journal.entries)[-1].outcome is Outcome.TAKEN_BACK
    assert world.numbers == [1]
    assert set(world.shows.values()) == {NAMES[1]}


def test_nothing_is_issued_while_pods_would_be_cut_off(tmp_path: Path) -> None:
    world = World()
    world.stubborn = True
    with pytest.raises(RunFailedError, match="what trusts the old one alone: Deployment x/istiod"):
        go(tmp_path, world)
    assert world.numbers == [1, 2]
    world.connected()
    world.stubborn = False
    go(tmp_path, world)
    assert rotated(world)


def test_what_stands_against_it_is_said_before_anything_is_changed() -> None:
    world = World()
    world.silent, world.pending = {"eu-worker-1"}, [Problem("not brought about")]
    assert [problem.what for problem in ROTATE_AUTHORITY.preconditions(world)] == [
        "eu-worker-1 does not answer"
    ]
    world.silent = set()
    assert [problem.what for problem in ROTATE_AUTHORITY.preconditions(world)] == ["not brought about"]
    for declared, number, fix in (([1], 3, 2), ([1, 2], 3, 2), ([2], 1, 3)):
        world.numbers, world.number = declared, number
        (problem,) = ROTATE_AUTHORITY.preconditions(world)
        assert problem.fix == f"give number={fix}"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"number": "two", "until": "retire"}, "number=two is no number"),
        ({"number": "2", "until": "later"}, "until=later is no step"),
    ],
)
def test_what_is_no_number_or_no_step_is_refused(values: dict[str, str], words: str) -> None:
    with (
        pytest.raises(ConfigurationError, match=words),
        ROTATE_AUTHORITY.opened("lab", {"region": "eu", **values}),
    ):
        raise AssertionError


def test_names_are_those_that_hosts_give() -> None:
    both = MADE[1] + "between\n" + MADE[2]
    assert authority.names(both) == trust.names(both) == [NAMES[1], NAMES[2]]
    assert authority.names("") == []


def test_a_host_is_asked_by_the_library_of_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bytes, Any]] = []
    answers: list[dict[str, Any]] = [{"trusts": [], "shows": []}, {"why": "refused"}]

    def ask(host: str, way: Any, source: bytes, order: Any, **_: Any) -> dict[str, Any]:
        compile(source, host, "exec")
        asked.append((host, source, order))
        return answers[len(asked) - 1]

    monkeypatch.setattr(authority.ssh, "ask", ask)
    site = AuthoritySite("lab", "eu", 2, "x", {"eu-cp-1": None}, ways=dict.fromkeys(HOSTS))  # type: ignore
    site.look("eu-worker-1", ["PEM"])
    assert b"def present(" in asked[0][1] and not asked[0][2]["issues"]
    with pytest.raises(OperationsError, match="eu-cp-1: refused"):
        site.look("eu-cp-1", ["PEM"])
    assert asked[1][2] == {"node": "eu-cp-1", "known": ["PEM"], "issues": "it does", "port": 6443}
