"""Verbs over several stacks, and within what time each answers."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from access import engine as access_engine
from report.errors import DeadlineError, OperationsError
from tests.unit.operations.fakes import Engine, apply, crossmesh_, stack_file


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied", "/backend/locks"), "Permission denied: '/backend/locks'"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "invalid start byte"),
        (OperationsError("it is not there"), "it is not there"),
    ],
)
@pytest.mark.parametrize(("verb", "function"), [("drift", "live.drift.run.drift"), ("gate", "gate.run.gate")])
def test_what_stops_one_stack_loses_no_answer_of_the_others(
    fake: Path, monkeypatch: pytest.MonkeyPatch, verb: str, function: str, error: Exception, words: str
) -> None:
    stack_file(fake).with_name("Pulumi.other.yaml").write_text(stack_file(fake).read_text())

    def answer(root: Path, stack: str, *_: object) -> None:
        raise error if stack == "lab" else OperationsError("its own answer")

    monkeypatch.setattr(function, answer)
    result = crossmesh_(verb, "--stack", "lab", "--stack", "other", "--report", "json=-")
    assert result.exit_code == 1
    told = {each["stack"]: each["findings"][0]["message"] for each in json.loads(result.stdout)["stacks"]}
    assert told["other"] == "its own answer"
    assert words in told["lab"]


@pytest.mark.parametrize("slow", ["stack export", "whoami"])
@pytest.mark.parametrize("verb", ["drift", "gate"])
def test_no_call_of_the_engine_outlives_the_time_that_a_verb_was_allowed(
    fake: Path, verb: str, slow: str
) -> None:
    (fake / "slow").write_text(slow)
    began = time.monotonic()
    result = crossmesh_(verb, "--stack", "lab", "--timeout", "1", "--report", "json=-")
    assert result.exit_code == 9, result.output
    assert f"`pulumi {slow}" in result.stdout
    assert "did not end within" in result.stdout
    assert time.monotonic() - began < 20


def test_nor_does_one_that_looks_before_an_up(engine: Engine) -> None:
    (engine.directory / "slow").write_text("whoami")
    result = apply(engine, "--timeout", "1")
    assert result.exit_code == 9
    assert "`pulumi whoami --json` did not end within 1 s" in result.output


def test_what_a_verb_was_allowed_holds_for_that_verb_only(fake: Path) -> None:
    (fake / "slow").write_text("whoami")
    with access_engine.within(0.2), pytest.raises(DeadlineError, match=r"within 0\.2 s"):
        access_engine.pulumi("whoami", "--json")
    (fake / "slow").unlink()
    access_engine.pulumi("whoami", "--json")
