"""The last word on a change, its exit code, and approvals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gate.approval import approve, mark_pending, unused
from report.exit_codes import WORST_FIRST, ExitCode, worst
from report.model import (
    Against,
    Change,
    ChangeSet,
    Finding,
    Layer,
    Op,
    PropertyChange,
    Resource,
    Risk,
    Severity,
    Status,
)
from report.verdict import verdict

TYPE = "kubernetes:core/v1:Namespace"


def change(name: str, risk: Risk = Risk.ORDINARY, op: Op = Op.DELETE, value: int = 1) -> Change:
    resource = Resource(f"urn:pulumi:lab::crossmesh::{TYPE}::{name}", TYPE, name, {})
    return Change(op, resource.urn, resource, None, properties=(PropertyChange("a", 0, value),), risk=risk)


def changes(*found: Change) -> ChangeSet:
    return ChangeSet(Against.STATE, found, ())


DESTRUCTIVE = change("shop", Risk.DESTRUCTIVE)
POLICY = Finding("policy/images-pinned", Status.FAIL, "not pinned")
ENGINE = Finding("engine/preview", Status.FAIL, "boom\nat line 3")
REFUSED = Finding("engine/credentials", Status.FAIL, "401.")
WARNING = Finding("policy/old", Status.FAIL, "old", severity=Severity.WARNING)
WAIVED = Finding("policy/old", Status.WAIVED, "old")
UNSEEN = Finding("policy/new", Status.NOT_MEASURABLE, "unknown")
LAYER = Layer("hosts", "Hosts", (), ("us-edge-1: unreachable",))


@pytest.mark.parametrize(
    ("found", "findings", "layers", "options", "expected"),
    [
        (changes(), (), (), {}, ExitCode.CLEAN),
        (changes(change("a")), (WARNING, WAIVED), (), {}, ExitCode.CLEAN),
        (changes(change("a")), (UNSEEN,), (LAYER,), {}, ExitCode.CLEAN),
        (changes(change("a")), (UNSEEN,), (), {"strict": True}, ExitCode.NOT_MEASURABLE),
        (changes(change("a")), (), (LAYER,), {"strict": True}, ExitCode.NOT_MEASURABLE),
        (changes(change("a")), (), (LAYER,), {"expect_no_changes": True}, ExitCode.UNEXPECTED_CHANGES),
        (changes(), (), (), {"expect_no_changes": True, "strict": True}, ExitCode.CLEAN),
        (changes(DESTRUCTIVE), (), (), {"expect_no_changes": True}, ExitCode.NEEDS_APPROVAL),
        (changes(replace(DESTRUCTIVE, approved=True)), (), (), {}, ExitCode.CLEAN),
        (changes(replace(DESTRUCTIVE, pending=True)), (), (), {}, ExitCode.CLEAN),
        (changes(DESTRUCTIVE), (POLICY,), (), {}, ExitCode.POLICY),
        (changes(DESTRUCTIVE), (POLICY, ENGINE), (), {}, ExitCode.PREVIEW_FAILED),
        (changes(DESTRUCTIVE), (POLICY, REFUSED), (), {}, ExitCode.AUTHENTICATION),
        (changes(), (REFUSED, ENGINE), (), {}, ExitCode.PREVIEW_FAILED),
    ],
)
def test_the_worst_reason_decides(
    found: ChangeSet,
    findings: tuple[Finding, ...],
    layers: tuple[Layer, ...],
    options: dict[str, bool],
    expected: ExitCode,
) -> None:
    answer = verdict(
        found, layers, findings, options.get("strict", False), options.get("expect_no_changes", False)
    )
    assert answer.code is expected
    assert answer.words.endswith((".", "boom"))
    assert "\n" not in answer.words


def test_what_is_destructive_without_this_change_as_well_is_told() -> None:
    answer = verdict(changes(replace(DESTRUCTIVE, pending=True)), (), (), False, False)
    assert "1 destructive change would be made without this change as well" in answer.words


def test_every_code_has_a_rank_and_the_worst_stack_decides() -> None:
    assert sorted(WORST_FIRST) == sorted(ExitCode)
    assert worst([ExitCode.CLEAN, ExitCode.NEEDS_APPROVAL, ExitCode.POLICY]) is ExitCode.POLICY
    assert worst([]) is ExitCode.CLEAN


@pytest.mark.parametrize("pattern", [DESTRUCTIVE.urn, f"{TYPE}::shop", "shop", "sh*", "*::shop"])
def test_destructive_changes_are_approved_by_urn_type_and_name(pattern: str) -> None:
    (found,) = approve(changes(DESTRUCTIVE), [pattern]).changes
    assert found.approved


def test_an_approval_of_something_else_approves_nothing_and_is_told() -> None:
    found = changes(DESTRUCTIVE, change("other"))
    assert not any(entry.approved for entry in approve(found, ["shops", "other"]).changes)
    assert unused(found, ["shops", "other", "shop"]) == ("shops", "other")


def test_what_the_base_would_do_as_well_is_pending_and_what_differs_is_not() -> None:
    base = changes(change("same"), change("other", value=1))
    found = mark_pending(changes(change("same"), change("other", value=2), change("new")), base)
    assert [(entry.resource.name, entry.pending) for entry in found.changes] == [
        ("same", True),
        ("other", False),
        ("new", False),
    ]
