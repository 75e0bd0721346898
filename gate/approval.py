"""Which changes are approved, and which are none of this change's doing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from report.model import Change, ChangeSet, Notice, Risk
from report.urns import names_of


def approve(changes: ChangeSet, patterns: Sequence[str]) -> ChangeSet:
    """Mark destructive changes that a pattern (`*`, `?`, `[…]`) means, by URN, `type::name` or name."""
    marked = [
        replace(change, approved=change.risk is Risk.DESTRUCTIVE and _means(patterns, change))
        for change in changes.changes
    ]
    return replace(changes, changes=tuple(marked))


def _means(patterns: Sequence[str], change: Change) -> bool:
    return any(fnmatchcase(name, pattern) for name in names_of(change.urn) for pattern in patterns)


def mark_pending(changes: ChangeSet, base: ChangeSet | None) -> ChangeSet:
    """Mark what the base itself would do in the same way."""
    already = {(change.urn, change.op): change.properties for change in base.changes} if base else {}
    marked = [
        replace(change, pending=already.get((change.urn, change.op)) == change.properties)
        for change in changes.changes
    ]
    return replace(changes, changes=tuple(marked))


def tell_of_unused(changes: ChangeSet, patterns: Sequence[str]) -> ChangeSet:
    """Warn of each pattern that means nothing."""
    words = "--approve {!r} means no destructive change: it is misspelt, or the change is no longer there"
    notices = tuple(Notice("warning", words.format(found)) for found in unused(changes, patterns))
    return replace(changes, notices=(*notices, *changes.notices))


def unused(changes: ChangeSet, patterns: Sequence[str]) -> tuple[str, ...]:
    """Patterns that match no destructive change: misspelt, or the change is no longer there."""
    destructive = [change for change in changes.changes if change.risk is Risk.DESTRUCTIVE]
    return tuple(
        pattern for pattern in patterns if not any(_means([pattern], change) for change in destructive)
    )
