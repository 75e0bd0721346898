"""The corpus leaves nothing out: rules, exit codes, kinds of change, and near good twins of bad changes."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from gate import judge
from gate.rules import fixed_rules
from report.exit_codes import ExitCode
from report.model import Op, Risk, Status
from report.verdict import ENGINE
from tests.gate import edits
from tests.gate.cases import SIDES, Edits, Kind, Pair, Side, bases, cases, pairs
from tests.gate.harness import ROOT

LEAST = 60
MOST_LINES = 16
"""By so many lines, taken away and added, twins differ at most."""

OF_NO_CHANGE = {
    ExitCode.TOOL_ERROR: "the gate itself failed",
    ExitCode.AUTHENTICATION: "of credentials",
    ExitCode.STACK_NOT_FOUND: "of the command line",
    ExitCode.CANCELLED: "of the user",
    ExitCode.TIMEOUT: "of the machine",
    ExitCode.STALE: "of sealed plans",
    ExitCode.LOCKED: "of another run",
    ExitCode.UNHEALTHY: "of what runs",
}
"""Exit codes that no change brings about."""

NEVER_FAILS = {
    "change/given-certificates": "what is given has to hold on the day that the test is run",
    "change/protected-kept": "the engine refuses first: engine/protected-authority",
    "istio/analyze": "each kind of finding is a rule of its own, istio/CODE",
}


def _expected(status: Status) -> set[str]:
    return {
        finding.rule
        for case in cases()
        for finding in case.change.expect.findings
        if finding.status is status
    }


def test_there_are_enough_changes() -> None:
    assert len(list(cases())) >= LEAST


def test_every_rule_fails_somewhere() -> None:
    rules = {rule.id for rule in (*fixed_rules(), ENGINE, judge.DECLARATION_RULE)}
    assert rules - _expected(Status.FAIL) - NEVER_FAILS.keys() == set()
    assert NEVER_FAILS.keys() <= rules


def test_every_family_of_rules_fails_somewhere() -> None:
    families = {rule.partition("/")[0].partition(":")[0] for rule in _expected(Status.FAIL)}
    assert families == {"change", "declaration", "engine", "istio", "pack", "policy", "schema", "waiver"}


def test_every_exit_code_of_a_change_occurs() -> None:
    assert {case.change.expect.exit for case in cases()} == set(ExitCode) - OF_NO_CHANGE.keys()


def test_every_kind_of_change_occurs() -> None:
    assert {pair.kind for pair in pairs().values()} - {None} == set(Kind.__args__)  # type: ignore[attr-defined]


def test_every_operation_and_risk_and_waivers_occur() -> None:
    changes = [change for case in cases() for change in case.change.expect.changes or ()]
    assert {change.op for change in changes} == set(Op) - {Op.SAME}
    assert {change.risk for change in changes} - {None} == set(Risk)
    assert {change.approved for change in changes} == {True, False}
    assert _expected(Status.WAIVED)
    assert _expected(Status.NOT_MEASURABLE)


def test_every_base_is_used() -> None:
    assert {pair.base for pair in pairs().values()} == bases().keys()


@pytest.mark.parametrize("name", pairs())
def test_twins_differ_and_only_a_little(name: str, tmp_path: Path) -> None:
    pair = pairs()[name]
    texts = {side: _texts(pair, side, tmp_path / side) for side in SIDES}
    lines = sum(
        _differing(texts["bad"].get(file, ""), texts["good"].get(file, ""))
        for file in sorted({*texts["bad"], *texts["good"]})
    )
    assert lines or pair.bad.gate != pair.good.gate
    assert lines <= MOST_LINES


def _texts(pair: Pair, side: Side, directory: Path) -> dict[str, str]:
    """Files that a change of the pair has a part in, as that side leaves them."""
    base = bases()[pair.base]
    steps = (base.edits, pair.both, pair.side(side))
    stack = f"stacks/Pulumi.{base.stack}.yaml"
    for name in {stack, *_files((*steps, pair.bad, pair.good))}:
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, directory / name)
    for step in steps:
        edits.apply(step, directory, base.stack)
    return {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
        for path in directory.rglob("*")
        if path.is_file()
    }


def _files(steps: Iterable[Edits]) -> set[str]:
    return {
        name for step in steps for name in (*step.write, *step.append, *(one.file for one in step.replace))
    }


def _differing(bad: str, good: str) -> int:
    lines = difflib.unified_diff(bad.splitlines(), good.splitlines(), n=0, lineterm="")
    return sum(line[:1] in "+-" and line[:3] not in ("+++", "---") for line in lines)
