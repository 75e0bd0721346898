"""Which changes are approved, and which are none of this change's doing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from report.model import Change, ChangeSet, Notice, Risk


def approve(changes: ChangeSet, patterns: Sequence[str]) -> ChangeSet:
    """Mark destructive changes that a pattern (`*`, `?`, `[…]`) means, by URN, `type::name` or name."""
    return replace(
        changes,
        changes=tuple(
            replace(change, approved=change.risk is Risk.DESTRUCTIVE and matches(change, patterns))
            for change in changes.changes
        ),
    )


def matches(change: Change, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns means this change."""
    resource = change.resource
    names = (change.urn, f"{resource.type}::{resource.name}", resource.name)
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def mark_pending(changes: ChangeSet, base: ChangeSet | None) -> ChangeSet:
    """Mark what the base itself would do in the same way."""
    if base is None:
        return changes
    already = {change.urn: change for change in base.changes}

    def pending(change: Change) -> bool:
        other = already.get(change.urn)
        return other is not None and other.op is change.op and other.properties == change.properties

    return replace(
        changes, changes=tuple(replace(change, pending=pending(change)) for change in changes.changes)
    )


def tell_of_unused(changes: ChangeSet, patterns: Sequence[str]) -> ChangeSet:
    """Warn of each pattern that means nothing."""
    words = "--approve {!r} means no destructive change: it is misspelt, or the change is no longer there"
    notices = tuple(Notice("warning", words.format(found)) for found in unused(changes, patterns))
    return replace(changes, notices=(*notices, *changes.notices))


def unused(changes: ChangeSet, patterns: Sequence[str]) -> tuple[str, ...]:
    """Patterns that match no destructive change: misspelt, or the change is no longer there."""
    destructive = [change for change in changes.changes if change.risk is Risk.DESTRUCTIVE]
    return tuple(
        pattern for pattern in patterns if not any(matches(change, [pattern]) for change in destructive)
    )
