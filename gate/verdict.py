"""The last word on a change."""

from __future__ import annotations

from collections.abc import Sequence

from report.exit_codes import ExitCode
from report.model import ChangeSet, Finding, Layer, Op, Risk, Severity, Status, Verdict


def verdict(
    changes: ChangeSet,
    layers: Sequence[Layer],
    findings: Sequence[Finding],
    strict: bool,
    expect_no_changes: bool,
) -> Verdict:
    """The code, by `exit_codes.WORST_FIRST`, and why in one sentence."""
    failed = [found for found in findings if found.status is Status.FAIL and found.severity is Severity.ERROR]
    engine = [found for found in failed if found.rule.startswith("engine/")]
    if engine:
        first = engine[0].message.strip().splitlines()[0]
        if all(found.rule == "engine/credentials" for found in engine):
            return Verdict(ExitCode.AUTHENTICATION, f"A cluster refuses the stack's credentials: {first}")
        return Verdict(ExitCode.PREVIEW_FAILED, f"The engine could not preview the change: {first}")
    if failed:
        rules = sorted({found.rule for found in failed})
        return Verdict(
            ExitCode.POLICY, f"{_many(len(failed), 'finding')} against the change: {', '.join(rules)}."
        )
    unapproved = [
        change
        for change in changes.changes
        if change.risk is Risk.DESTRUCTIVE and not change.approved and not change.pending
    ]
    if unapproved:
        names = [change.resource.name for change in unapproved]
        shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        return Verdict(
            ExitCode.NEEDS_APPROVAL,
            f"{_many(len(unapproved), 'destructive change')} to be approved (--approve): {shown}.",
        )
    if expect_no_changes and changes.changes:
        return Verdict(
            ExitCode.UNEXPECTED_CHANGES, f"{_many(len(changes.changes), 'change')} where none was expected."
        )
    unseen = sum(len(layer.not_measurable) for layer in layers)
    unseen += sum(found.status is Status.NOT_MEASURABLE for found in findings)
    if strict and unseen:
        return Verdict(ExitCode.NOT_MEASURABLE, f"{_many(unseen, 'thing')} could not be measured (--strict).")
    also = f" {_many(unseen, 'thing')} could not be measured." if unseen else ""
    others = sum(change.pending and change.risk is Risk.DESTRUCTIVE for change in changes.changes)
    if others:
        also += f" {_many(others, 'destructive change')} would be made without this change as well."
    if not changes.changes:
        return Verdict(ExitCode.CLEAN, f"Nothing changes.{also}")
    counts = ", ".join(
        f"{number} to {op}" for op, number in changes.counts().items() if number and op != Op.SAME
    )
    return Verdict(ExitCode.CLEAN, f"Nothing stands against the change: {counts}.{also}")


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
