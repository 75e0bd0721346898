"""What a check is and what it says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    FAILED = "failed"
    NOT_MEASURABLE = "not-measurable"


@dataclass(frozen=True)
class Finding:
    """What one check measured.

    `explanation` is the likely cause in the words of those concerned, `fix` what to do next; both are empty
    when the status is ok. `details` are the single measurements, one line each.
    """

    status: Status
    measured: str
    expected: str
    explanation: str = ""
    fix: str = ""
    details: tuple[str, ...] = ()


class NotMeasurable(Exception):
    """Raised by a check that cannot measure: the message says what was in the way, `fix` how to get it out
    of it.
    """

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.fix = fix


class Watch:
    """A check's view of its time: when it must have ended, and what it waits for right now."""

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self.waiting_for = "its first answer"

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.deadline - time.monotonic())

    def at(self, what: str) -> None:
        """Say what the check does now; named in the report if the time runs out meanwhile."""
        self.waiting_for = what


@dataclass(frozen=True)
class Check:
    """One link of the chain.

    `id` is stable: `<kind>` or `<kind>/<region or name>`. The check runs when all of `needs` are ok; if one
    of them is not, it is not measurable. `seconds` bounds its time.
    """

    id: str
    link: str
    title: str
    run: Callable[[Watch], Finding]
    needs: tuple[str, ...] = ()
    seconds: float = 25.0


@dataclass(frozen=True)
class Result:
    """A check with what it found and how many seconds that took."""

    check: Check
    finding: Finding
    seconds: float = 0.0


@dataclass
class Evidence:
    """Collects measurements while a check runs and turns them into a finding.

    Every problem has its own words; the finding is ok when there is none.
    """

    expected: str
    details: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    fixes: list[str] = field(default_factory=list)

    def note(self, detail: str) -> None:
        """Record a measurement that is as expected."""
        self.details.append(detail)

    def problem(self, words: str, fix: str = "") -> None:
        """Record a measurement that is not as expected, and what mends it."""
        self.problems.append(words)
        self.details.append(f"✗ {words}")
        if fix and fix not in self.fixes:
            self.fixes.append(fix)

    def finding(self, measured: str) -> Finding:
        """The finding: failed if any problem was recorded, else ok."""
        if not self.problems:
            return Finding(Status.OK, measured, self.expected, details=tuple(self.details))
        return Finding(
            Status.FAILED,
            measured,
            self.expected,
            explanation="; ".join(self.problems),
            fix=" ".join(self.fixes),
            details=tuple(self.details),
        )
