"""From findings to one answer."""

from __future__ import annotations

import pytest

from live.drift import judge
from live.drift.model import Drifted, Record
from report.exit_codes import ExitCode
from report.model import Op, PropertyChange, Resource, Severity, Status
from tests.unit.live.drift.support import record, resource, state_of, urn

STATE = state_of([resource("t", "a", {"x": 1}), resource("t", "b")])


def answer(*records: Record, strict: bool = False) -> tuple[ExitCode, str]:
    seen = [found.seen() for found in records]
    changes = judge.change_set(STATE, seen)
    applied = judge.rules([found.comparison.layer for found in records])
    verdict = judge.verdict(changes, seen, judge.findings(seen, applied), strict)
    return verdict.code, verdict.words


def clean(layer: str = "clusters") -> Record:
    found = record(layer)
    found.recognised.add("eu")
    return found


def test_old_is_as_applied_and_new_as_live() -> None:
    live = Resource(urn("t", "a"), "t", "a", {"x": 2})
    left = Resource(urn("t", "left"), "t", "left", {})
    found = record("clusters")
    found.drifted += [
        Drifted(urn("t", "a"), Op.UPDATE, (PropertyChange("x", 1, 2),), live),
        Drifted(urn("t", "b"), Op.DELETE),
        Drifted(urn("t", "left"), Op.CREATE, live=left),
    ]
    edited, gone, left_over = judge.told(judge.change_set(STATE, [found])).changes
    assert edited.old is not None
    assert edited.new is not None
    assert (edited.old.inputs, edited.new.inputs) == ({"x": 1}, {"x": 2})
    assert (gone.old is not None, gone.new) == (True, None)
    assert (left_over.old, left_over.new) == (None, left)
    assert [change.why for change in (edited, gone, left_over)] == [
        "it is not as it was applied",
        "it is gone",
        "nobody declares it",
    ]
    same = judge.change_set(STATE, [found]).same
    assert [other.type for other in same] == ["pulumi:pulumi:Stack"]


def test_what_two_layers_say_of_a_resource_is_one_change() -> None:
    one, other = record("clusters"), record("clusters")
    one.drifted.append(Drifted(urn("t", "a"), Op.UPDATE, (PropertyChange("y", 1, 2),)))
    other.drifted.append(Drifted(urn("t", "a"), Op.UPDATE, (PropertyChange("x", 1, 2),)))
    (change,) = judge.change_set(STATE, [one, other]).changes
    assert [entry.path for entry in change.properties] == ["x", "y"]


def test_no_drift_is_code_0_and_every_rule_passes() -> None:
    assert answer(clean(), clean("dns")) == (
        ExitCode.CLEAN,
        "Everything that was looked at is as it was applied.",
    )
    found = judge.findings([clean().seen()], judge.rules(["clusters"]))
    assert [(entry.rule, entry.status) for entry in found] == [
        ("drift/clusters", Status.PASS),
        ("drift/identity", Status.PASS),
    ]


def test_drift_is_code_7_with_what_it_is() -> None:
    found = clean()
    found.drifted.append(Drifted(urn("t", "a"), Op.UPDATE))
    found.drifted.append(Drifted(urn("t", "b"), Op.DELETE))
    found.fail("a was edited", urn=urn("t", "a"))
    found.fail("b is gone", urn=urn("t", "b"))
    assert answer(found) == (ExitCode.UNEXPECTED_CHANGES, "Drift was found: 1 changed, 1 gone.")


def test_another_cluster_is_drift_of_the_worst_kind() -> None:
    found = record("clusters")
    found.stranger("cluster eu", "cluster eu: another cluster answers", urn="u", fix="f")
    code, words = answer(found)
    assert code is ExitCode.UNEXPECTED_CHANGES
    assert words.startswith("Drift was found: cluster eu: another cluster answers.")


def test_refused_credentials_are_code_3() -> None:
    found = record("clusters")
    found.stranger("cluster eu", "eu refuses the credentials", urn="u", fix="f", refused=True)
    assert answer(found)[0] is ExitCode.AUTHENTICATION


def test_what_is_not_measurable_counts_only_when_it_is_asked_to() -> None:
    found = clean()
    found.not_measurable("cluster us", "no answer")
    assert answer(found)[0] is ExitCode.CLEAN
    assert "1 thing could not be measured" in answer(found)[1]
    assert answer(found, strict=True)[0] is ExitCode.NOT_MEASURABLE


@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.NOTE])
def test_warnings_and_notes_are_no_drift(severity: Severity) -> None:
    found = clean("certificates")
    found.fail("it ends soon", severity=severity)
    assert answer(found, strict=True)[0] is ExitCode.CLEAN


def test_where_nothing_was_reached_no_identity_has_passed() -> None:
    found = record("clusters")
    found.not_measurable("cluster eu", "no answer")
    statuses = {
        entry.rule: entry.status for entry in judge.findings([found.seen()], judge.rules(["clusters"]))
    }
    assert set(statuses.values()) == {Status.NOT_MEASURABLE}


def test_time_that_ran_out_and_a_defect_have_codes_of_their_own() -> None:
    late, broken = clean(), clean("dns")
    late.late = True
    assert answer(late)[0] is ExitCode.TIMEOUT
    broken.broken = True
    assert answer(late, broken)[0] is ExitCode.TOOL_ERROR


def test_the_same_finding_of_two_layers_is_one() -> None:
    records = [record("clusters"), record("certificates")]
    for found in records:
        found.stranger("cluster eu", "another cluster answers", urn="u", fix="f")
    found = judge.findings([entry.seen() for entry in records], judge.rules(["clusters"]))
    assert sum(entry.rule == "drift/identity" for entry in found) == 1
