"""What holds state is not replaced by the way."""

from __future__ import annotations

from collections.abc import Iterator

from gate.rules.subject import Check, Subject, failed
from report.model import Finding, Op, Risk, Rule
from report.urns import kind

RULE = Rule(
    "change/stateful-kept",
    "Nothing that holds state is replaced unless that is approved",
    "A replacement is a deletion that nobody wrote down: volumes, stateful sets, certificate authorities, "
    "definitions and clusters go with what only they know. Undo the change of the property that is named, or "
    "approve the replacement: --approve PATTERN.",
)

_RUN_AGAIN = frozenset({"Job"})
"""Kinds whose replacement is destructive and that hold no state."""


def _find(subject: Subject) -> Iterator[Finding]:
    for change in subject.changes.changes:
        if change.op is not Op.REPLACE or change.risk is not Risk.DESTRUCTIVE:
            continue
        if change.approved or change.pending or kind(change.resource) in _RUN_AGAIN:
            continue
        because = f", because of {', '.join(change.replace_reasons)}" if change.replace_reasons else ""
        words = f"{kind(change.resource)} {change.name} is replaced{because}: {change.why}"
        fix = f"undo what is named, or --approve '{change.type}::{change.name}'"
        yield failed(RULE, words, change.urn, fix=fix)


CHECK = Check("", RULE, _find)
