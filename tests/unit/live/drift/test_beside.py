"""Drift told beside a change is a warning; that a cluster is another one is not."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from live.drift import beside, judge, run
from live.drift.model import Drifted, Record
from operations.commands.gate import gate
from report.errors import OperationsError
from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.model import Against, ChangeSet, Finding, Op, PropertyChange, Severity, Status
from tests.unit.live.drift.support import record, resource, state_of, urn

VERSIONS = Producer("0.1.0", "3.250.0", "c" * 40, dirty=False)
STATE = state_of([resource("t", "a", {"x": 1}), resource("t", "b")])
GATED = Examination(
    "lab",
    "gate",
    Verdict(ExitCode.CLEAN, "Nothing changes."),
    ChangeSet(Against.STATE, (), ()),
    (),
    (),
    (),
    VERSIONS,
)


def edited(layer: Record) -> Record:
    """A layer in which one resource was edited."""
    layer.recognised.add("eu")
    layer.drifted.append(Drifted(urn("t", "a"), Op.UPDATE, (PropertyChange("x", 1, 2),)))
    layer.fail("a: x is 2", urn=urn("t", "a"))
    layer.row("a", "x: 1", "x: 2")
    return layer


def examined(*layers: Record) -> Examination:
    """What `drift` makes of layers."""
    seen = [layer.seen() for layer in layers]
    applied = judge.rules([layer.comparison.layer for layer in layers])
    found, changes = judge.findings(seen, applied), judge.change_set(STATE, seen)
    word = judge.verdict(changes, seen, found, False)
    shown = tuple(layer.layer for layer in seen)
    return Examination("lab", "drift", word, changes, shown, applied, found, VERSIONS)


def told(
    monkeypatch: pytest.MonkeyPatch,
    answer: Examination | Exception,
    *,
    gated: Examination = GATED,
    strict: bool = False,
) -> Examination:
    """The gate's answer with this drift."""

    def look(*_: Any) -> Examination:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(run, "drift", look)
    options = run.DriftOptions(datetime(2026, 11, 24, tzinfo=UTC), strict=strict, timeout=60)
    return beside.with_drift(Path(), gated, options, lambda _: None, threading.Event())


def test_what_drifted_is_a_warning_and_stops_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch, examined(edited(record("clusters"))))
    assert found.verdict == Verdict(ExitCode.CLEAN, "Nothing changes. 1 resource drifted.")
    (finding,) = [each for each in found.findings if each.status is Status.FAIL]
    assert (finding.rule, finding.severity) == ("drift/clusters", Severity.WARNING)
    assert [layer.id for layer in found.layers] == ["drift-clusters"]
    assert found.changes.changes == ()
    assert {"drift/clusters", "drift/identity"} <= {rule.id for rule in found.rules}


def test_another_cluster_stops_the_change(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = record("clusters")
    layer.stranger("cluster eu", "eu is another cluster", urn=urn("t", "a"), fix="look")
    assert told(monkeypatch, examined(layer)).verdict.code is ExitCode.POLICY


def test_what_cannot_be_looked_at_is_not_measurable(monkeypatch: pytest.MonkeyPatch) -> None:
    away = OperationsError("the state is locked")
    assert told(monkeypatch, away).verdict.code is ExitCode.CLEAN
    found = told(monkeypatch, away, strict=True)
    assert found.verdict.code is ExitCode.NOT_MEASURABLE
    said = [each for each in found.findings if each.status is Status.NOT_MEASURABLE]
    assert {each.message for each in said} == {"the state is locked"}
    assert len(said) == len(judge.rules())


def test_without_a_state_there_is_nothing_that_could_have_drifted(monkeypatch: pytest.MonkeyPatch) -> None:
    gated = replace(GATED, changes=ChangeSet(Against.NOTHING, (), ()))
    found = told(monkeypatch, AssertionError("nothing is to be looked at"), gated=gated)
    assert all("no such stack" in each.message for each in found.findings)
    assert len(found.findings) == len(judge.rules())


def test_a_change_that_cannot_be_previewed_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    gated = replace(
        GATED,
        verdict=Verdict(ExitCode.PREVIEW_FAILED, "No."),
        findings=(Finding("engine/preview", Status.FAIL, "No."),),
    )
    assert told(monkeypatch, AssertionError("not to be called"), gated=gated) is gated


def test_findings_stay_in_the_gates_order(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = Finding("schema/built-in", Status.PASS, "")
    found = told(monkeypatch, examined(edited(record("clusters"))), gated=replace(GATED, findings=(passed,)))
    assert [each.status for each in found.findings] == sorted(
        (each.status for each in found.findings), key=list(Status).index
    )


def test_what_is_live_cannot_be_looked_at_without_looking() -> None:
    result = CliRunner().invoke(gate, ["--stack", "lab", "--drift", "--hermetic"])
    assert result.exit_code == ExitCode.USAGE
    assert "--hermetic" in result.output
