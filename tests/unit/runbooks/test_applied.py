"""`pulumi up` from within a runbook: followed, judged by its own words, and after one that was killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from playbooks.phase import LEAVE_HOSTS
from report.errors import LockedError, OperationsError
from runbooks import applied

URN = "urn:pulumi:lab::crossmesh::crossmesh:hosts:HostPhase::eu-cp-1.control-plane"
DONE = {"summaryEvent": {"result": "succeeded"}}


class Engine:
    """Says what it is told to say."""

    def __init__(self, events: Sequence[Any], code: int = 0) -> None:
        self.told, self.returncode, self.words = events, code, "no summary"
        self.arguments: Sequence[str] = ()
        self.environment: dict[str, str] = {}
        self.ended = False

    @contextmanager
    def stream(self, arguments: Sequence[str], *, directory: Any, environment: Any) -> Iterator[Engine]:
        self.arguments, self.environment = arguments, environment
        yield self

    def events(self) -> Iterator[Any]:
        yield from self.told

    def send(self, number: int) -> None:
        raise AssertionError

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked of a stack that no other run has left in the middle."""
    asked: list[Any] = []
    monkeypatch.setattr(applied, "require_unlocked", lambda stack, why: [])
    monkeypatch.setattr(applied.pending, "settle", lambda stack, brought: asked.append(brought) or [])
    return asked


def run(monkeypatch: pytest.MonkeyPatch, engine: Engine, **more: Any) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(applied.engine, "stream", engine.stream)
    applied.bring_about("lab", told.append, **more)
    return told


def test_what_is_begun_and_what_hosts_say_is_told(
    monkeypatch: pytest.MonkeyPatch, settled: list[Any]
) -> None:
    engine = Engine(
        [
            {"resourcePreEvent": {"metadata": {"op": "same", "urn": URN}}},
            {"resourcePreEvent": {"metadata": {"op": "update", "urn": URN}}},
            {"diagnosticEvent": {"severity": "info", "message": "eu-cp-1: changed: x\n"}},
            {"diagnosticEvent": {"severity": "info", "message": "waits", "ephemeral": True}},
            DONE,
        ]
    )
    told = run(monkeypatch, engine, more={"NAME": "value"})
    assert told == ["update eu-cp-1.control-plane", "eu-cp-1: changed: x"]
    assert engine.arguments == ["up", "--stack", "lab", "--yes", "--skip-preview", "--json"]
    assert engine.environment["NAME"] == "value" and engine.ended
    assert settled == [applied.BROUGHT_TO]


@pytest.mark.parametrize(
    ("events", "code", "words"),
    [
        (
            [{"diagnosticEvent": {"severity": "error", "message": "eu-cp-1 said no"}}, DONE],
            255,
            "eu-cp-1 said",
        ),
        ([{"summaryEvent": {"result": "failed"}}], 0, "no summary"),
        ([], 0, "no summary"),
    ],
)
def test_what_the_engine_did_not_call_a_success_is_none(
    monkeypatch: pytest.MonkeyPatch, settled: list[Any], events: list[Any], code: int, words: str
) -> None:
    with pytest.raises(OperationsError, match=words):
        run(monkeypatch, Engine(events, code))


def test_what_a_killed_run_left_is_settled_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its engine may be at work for a moment still; then its lock goes, and what it began is told."""
    answers: list[Any] = [LockedError("process 7 is running"), ["a lock"]]
    calls: list[Any] = []

    def locks(stack: str, why: str) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(applied, "require_unlocked", locks)
    monkeypatch.setattr(applied, "_POLL_SECONDS", 0.0)
    monkeypatch.setattr(applied.pending, "settle", lambda *_: ["eu-cp-1: interrupted"])
    monkeypatch.setattr(applied.engine, "pulumi", lambda *words, **_: calls.append(words))
    told = run(monkeypatch, Engine([DONE]))
    assert told == ["process 7 is running", "goes on with what was interrupted: eu-cp-1: interrupted"]
    assert calls == [("cancel", "--yes", "--stack", "lab")]


def test_one_that_does_not_end_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(stack: str, why: str) -> Any:
        raise LockedError(why)

    monkeypatch.setattr(applied, "require_unlocked", locked)
    monkeypatch.setattr(applied, "_LEFT_SECONDS", 0.0)
    monkeypatch.setattr(applied, "_POLL_SECONDS", 0.0)
    with pytest.raises(LockedError, match="then `crossmesh runbook resume`"):
        run(monkeypatch, Engine([DONE]))


@pytest.mark.parametrize(("code", "found"), [(0, 0), (255, 1)])
def test_a_declaration_that_is_not_brought_about_is_seen_without_asking_a_host(
    monkeypatch: pytest.MonkeyPatch, code: int, found: int
) -> None:
    asked: list[Any] = []

    def pulumi(*arguments: str, environment: dict[str, str], **_: Any) -> Any:
        asked.append((arguments, environment[LEAVE_HOSTS]))
        return SimpleNamespace(
            returncode=code, stdout="~ 1 to update\n", stderr="error: no changes were expected"
        )

    monkeypatch.setattr(applied.engine, "pulumi", pulumi)
    problems = applied.unapplied("lab")
    assert len(problems) == found
    assert asked == [(("preview", "--expect-no-changes", "--stack", "lab"), "1")]
    if problems:
        assert "~ 1 to update / error: no changes were expected" in problems[0].what
