"""Running the engine: its events, its refusals, its end. A script stands for the engine here."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from gate.preview import interrupt_all, preview
from gate.workspace import Workspace
from report.errors import (
    AuthenticationError,
    CancelledError,
    ConfigurationError,
    DeadlineError,
    LockedError,
    StackNotFoundError,
)

STEP = {
    "resourcePreEvent": {
        "metadata": {
            "op": "same",
            "urn": "u",
            "type": "t",
            "old": {"inputs": {"big": 1}},
            "new": {"inputs": {}},
        }
    }
}


@pytest.fixture(autouse=True)
def not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever interrupts ends with it; only tests go on."""
    monkeypatch.setattr("gate.preview._interrupted", threading.Event())


@pytest.fixture
def engine(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A function that makes `pulumi` do what it is told."""

    def make(script: str) -> Workspace:
        program = tmp_path / "bin" / "pulumi"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return Workspace(tmp_path, "lab", {"PATH": f"{program.parent}:{os.environ['PATH']}"})

    return make


def alive(file: Path) -> bool:
    """Whether the process whose number is in a file lives after a moment; a zombie does not."""
    stat_file = Path(f"/proc/{file.read_text().strip()}/stat")
    for _ in range(40):
        try:
            if stat_file.read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except (FileNotFoundError, ProcessLookupError):
            return False
        time.sleep(0.05)
    return True


def said(*events: object) -> str:
    return "\n".join(f"echo '{json.dumps(event)}'" for event in events)


def summary(result: str = "succeeded") -> dict[str, object]:
    return {"summaryEvent": {"result": result}}


def test_events_are_taken_as_they_come_without_what_nobody_asks_for(engine) -> None:  # type: ignore[no-untyped-def]
    seen = []
    workspace = engine(said(STEP, {"resOutputsEvent": {}}, {"policyEvent": {"a": 1}}, summary()))
    found = preview(workspace, on_event=seen.append)
    assert found.succeeded
    assert len(seen) == 4
    assert [next(iter(event)) for event in found.events] == [
        "resourcePreEvent",
        "policyEvent",
        "summaryEvent",
    ]
    assert found.events[0]["resourcePreEvent"]["metadata"]["old"] is None


@pytest.mark.parametrize(
    "script", [f"{said(summary('failed'))}; exit 0", f"{said(summary())}; exit 1", "exit 0"]
)
def test_success_needs_the_engines_word_and_its_exit_code(engine, script: str) -> None:  # type: ignore[no-untyped-def]
    assert not preview(engine(script)).succeeded


def test_what_is_no_event_is_kept_as_words(engine) -> None:  # type: ignore[no-untyped-def]
    found = preview(engine("echo not an event; echo '{broken'; echo trouble >&2; exit 255"))
    assert found.words == "not an event\n{broken\ntrouble"


@pytest.mark.parametrize("script", ["sleep 60", f"{said(STEP)}; sleep 60"])
@pytest.mark.parametrize("at_once", [True, False])
def test_what_is_refused_meanwhile_ends_an_engine_that_says_nothing(
    engine, script: str, at_once: bool
) -> None:  # type: ignore[no-untyped-def]
    refused: Future[None] = Future()
    refuse = threading.Timer(0.0 if at_once else 0.3, refused.set_exception, [LockedError("held")])
    refuse.start()
    if at_once:
        refuse.join()
    began = time.monotonic()
    with pytest.raises(LockedError, match="held"):
        preview(engine(script), asked=refused)
    assert time.monotonic() - began < 5


def test_what_is_answered_meanwhile_ends_no_engine(engine) -> None:  # type: ignore[no-untyped-def]
    answered: Future[str] = Future()
    answered.set_result("known")
    assert preview(engine(said(STEP, summary())), asked=answered).succeeded


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("error: incorrect passphrase", AuthenticationError),
        ("error: PULUMI_ACCESS_TOKEN must be set for login", AuthenticationError),
        ("error: no stack named 'lab' found", StackNotFoundError),
        ("error: the stack is currently locked by 1 lock(s)", LockedError),
    ],
)
def test_known_refusals_have_errors_of_their_own(engine, words: str, error: type[Exception]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match="stack 'lab'"):
        preview(engine(f'echo "{words}" >&2; exit 1'))


def test_an_engine_that_does_not_end_is_ended_with_all_that_it_started(engine, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    workspace = engine(f"sleep 600 & echo $! > {tmp_path}/child; trap 'exit 1' INT; wait")
    with pytest.raises(DeadlineError, match="did not end within"):
        preview(workspace, timeout=1)
    assert not alive(tmp_path / "child")


def test_interrupting_reaches_every_engine(engine) -> None:  # type: ignore[no-untyped-def]
    workspace = engine(f"trap 'exit 1' INT; {said(STEP)}; sleep 60 & wait")
    began = time.monotonic()
    timer = threading.Timer(0.5, interrupt_all)
    timer.start()
    assert not preview(workspace).succeeded
    assert time.monotonic() - began < 30


def test_none_is_started_after_an_interrupt(engine, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    workspace = engine(f"touch {tmp_path}/started")
    interrupt_all()
    with pytest.raises(CancelledError):
        preview(workspace)
    assert not (tmp_path / "started").exists()


def test_an_error_in_the_reader_ends_the_engine(engine, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    def fail(event: object) -> None:
        raise ValueError("no")

    workspace = engine(f"echo $$ > {tmp_path}/pid; {said(STEP)}; sleep 60 & wait")
    with pytest.raises(ValueError, match="no"):
        preview(workspace, on_event=fail)
    assert not alive(tmp_path / "pid")


def test_without_an_engine_the_way_to_get_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="make -s env"):
        preview(Workspace(tmp_path, "lab", {"PATH": str(tmp_path)}))


def test_what_is_asked_for_becomes_arguments(engine, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    workspace = engine(f'echo "$@" > {tmp_path}/arguments')
    preview(workspace, packs=[Path("a"), Path("b")], plan=Path("p"))
    assert (tmp_path / "arguments").read_text().strip() == (
        "--non-interactive --color=never preview --json --stack lab "
        "--policy-pack a --policy-pack b --save-plan p"
    )
