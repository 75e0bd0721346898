"""`crossmesh drift`: options, several stacks, exit codes, interrupts."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from live.drift import judge, run
from operations.commands.drift import drift
from report.errors import StackNotFoundError
from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.model import Against, ChangeSet

VERSIONS = Producer("0.1.0", "3.250.0", "c" * 40, dirty=False)


def examination(stack: str, code: ExitCode) -> Examination:
    changes = ChangeSet(Against.STATE, (), ())
    return Examination(stack, "drift", Verdict(code, "Said."), changes, (), (), (), VERSIONS)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, run.DriftOptions]]:
    """What was asked for; every stack but `staging` is without drift."""
    seen: list[tuple[str, run.DriftOptions]] = []

    def answer(root: Path, stack: str, options: run.DriftOptions, *_: Any) -> Examination:
        seen.append((stack, options))
        if stack == "production":
            raise StackNotFoundError("stack 'production' not found")
        return examination(stack, ExitCode.UNEXPECTED_CHANGES if stack == "staging" else ExitCode.CLEAN)

    monkeypatch.setattr(run, "drift", answer)
    return seen


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(drift, arguments)


def test_all_layers_are_looked_at_by_default(asked: list[tuple[str, run.DriftOptions]]) -> None:
    assert invoke("--stack", "lab").exit_code == 0
    ((stack, options),) = asked
    assert stack == "lab"
    assert options.layers == judge.LAYERS
    assert not options.strict


def test_options_reach_the_examination(asked: list[tuple[str, run.DriftOptions]]) -> None:
    invoke("-s", "lab", "--layer", "dns", "--layer", "hosts", "--strict", "--timeout", "7")
    ((_, options),) = asked
    assert options.layers == ("dns", "hosts")
    assert options.strict
    assert options.timeout == 7


def test_the_worst_of_several_stacks_counts_and_all_are_reported(
    asked: list[tuple[str, run.DriftOptions]], tmp_path: Path
) -> None:
    report = tmp_path / "drift.json"
    stacks = ("-s", "lab", "-s", "staging", "-s", "production")
    assert invoke(*stacks, "--report", f"json={report}").exit_code == ExitCode.STACK_NOT_FOUND
    text = json.dumps(json.loads(report.read_text()))
    assert all(name in text for name in ("lab", "staging", "production"))
    assert invoke("-s", "lab", "-s", "staging").exit_code == ExitCode.UNEXPECTED_CHANGES


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-s", "lab", "--layer", "weather"),
        ("-s", "lab", "--timeout", "0"),
        ("-s", "nowhere"),
        ("-s", "lab", "--report", "xml=x"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_asked(
    arguments: tuple[str, ...], asked: list[tuple[str, run.DriftOptions]]
) -> None:
    assert invoke(*arguments).exit_code == ExitCode.USAGE
    assert asked == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_in_order(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(
        root: Path,
        stack: str,
        options: run.DriftOptions,
        say: Callable[[str], None],
        stopped: threading.Event,
    ) -> Examination:
        os.kill(os.getpid(), number)
        assert stopped.wait(10)
        raise run.Interrupted("Interrupted.")

    before = signal.getsignal(number)
    monkeypatch.setattr(run, "drift", answer)
    result = invoke("-s", "lab")
    assert result.exit_code == ExitCode.CANCELLED
    assert "Nothing was changed" in result.stderr
    assert result.stdout == ""
    assert signal.getsignal(number) == before


def test_every_exit_code_that_it_can_end_with_is_in_its_help() -> None:
    words = invoke("--help").output
    for code in (0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 13):
        assert f"{code}  " in words
