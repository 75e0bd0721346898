"""Protected resources stay."""

from __future__ import annotations

from collections.abc import Iterator

from gate.rules.subject import Check, Subject, failed
from report.model import Finding, Op, Rule
from report.urns import kind

RULE = Rule(
    "change/protected-kept",
    "No protected resource is deleted or replaced",
    "Somebody has marked it (`protect`). No approval is enough: take the mark away in a change of its own "
    "(`pulumi state unprotect URN`, and `protect` in the program), which is reviewed as such.",
)


def _find(subject: Subject) -> Iterator[Finding]:
    for change in subject.changes.changes:
        if change.op in (Op.DELETE, Op.REPLACE) and change.old is not None and change.old.protect:
            words = f"{kind(change.old)} {change.old.name} is protected, and is {change.op}d"
            fix = "keep it; or take its protection away in a change of its own"
            yield failed(RULE, words, change.urn, fix=fix)


CHECK = Check("", RULE, _find)
