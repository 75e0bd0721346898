"""What a check of the doctor says of the list, or of a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from live.doctor.model import Evidence, Finding, NotMeasurable
from live.expiry.model import BROKEN, Entry, State

EXPECTED = "valid for 30 days more; of less than five months, for a fifth of their life"


def finding(entries: Sequence[Entry], now: datetime | None = None) -> Finding:
    """Failed by what is not valid, a warning of what ends soon.

    Raises `NotMeasurable` for what could not be looked at, unless something else is not valid.
    """
    now, evidence = now or datetime.now(UTC), Evidence(EXPECTED)
    unseen = [entry for entry in entries if entry.state(now) is State.UNKNOWN]
    for entry in entries:
        state, words = entry.state(now), entry.says(now)
        fix = entry.fix or f"Renewed by {entry.renewed_by}."
        if state in BROKEN:
            evidence.problem(words, fix, entry.runbook)
        elif state is State.SOON:
            evidence.warning(words, fix)
        elif state is State.OK:
            evidence.note(words)
    if unseen and not evidence.problems:
        words = "; ".join(entry.says(now) for entry in unseen)
        raise NotMeasurable(words, next((entry.fix for entry in unseen if entry.fix), ""))
    return evidence.finding(_measured(entries, now))


def _measured(entries: Sequence[Entry], now: datetime) -> str:
    ends = [entry for entry in entries if entry.not_after is not None]
    counted = f"{len(entries)} entries" if len(entries) != 1 else "1 entry"
    if not ends:
        return counted
    first = min(ends, key=lambda entry: entry.not_after or now)
    return f"{counted}; the first to end: {first.says(now)}"
