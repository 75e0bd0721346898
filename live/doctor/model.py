"""What a check is and what it says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace

from live.doctor.keys import Key
from report.model import Finding, Rule, Severity, Status
from report.progress import Watch

__all__ = ["Check", "CheckResult", "Evidence", "Finding", "NotMeasurable", "Watch"]


CHECK_SECONDS = 25.0
"""For a check that does not say how long it may take."""


class NotMeasurable(Exception):
    """A check cannot measure: the message says what was in the way, `fix` how to mend that."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.fix = fix


@dataclass(frozen=True)
class Check:
    """One link of the chain.

    `id` is stable, and of `live.doctor.keys`. The check runs when all of `needs` passed; if one of them did
    not, it is not measurable. `seconds` bounds its time.
    """

    id: Key
    link: str
    title: str
    run: Callable[[Watch], Finding]
    needs: tuple[Key, ...] = ()
    seconds: float = CHECK_SECONDS
    _: KW_ONLY
    rests_on: tuple[Key, ...] = ()
    """What it stands on beside `needs`: where one of these fails, that may be why this one does. It is
    measured all the same, for it may hold."""
    region: str = ""
    """The region that it looks at; empty for what belongs to all of them."""
    declared: tuple[str, ...]
    """Path of the key below the environment that it looks after."""

    @property
    def foundations(self) -> frozenset[Key]:
        """All that it stands on."""
        return frozenset((*self.needs, *self.rests_on))

    @property
    def rule(self) -> Rule:
        """The check as a rule of reports."""
        return Rule(f"doctor/{self.id}", self.title)

    def placed(self, finding: Finding) -> Finding:
        """A finding of this check, which belongs where the check does."""
        return replace(finding, region=self.region, declared=self.declared)


def once_settled(look: Callable[[], tuple[Finding, str]], watch: Watch, until: float) -> Finding:
    """What a check finds once nothing is under way any more, or `until` is over (of `time.monotonic`).

    look: one look, and what it found to be under way in words; empty for nothing.
    """
    while True:
        finding, under_way = look()
        if not under_way or time.monotonic() > until:
            return finding
        watch.at(under_way)
        if watch.stopped.wait(1):
            return finding


@dataclass(frozen=True)
class CheckResult:
    """A check with what it found."""

    check: Check
    finding: Finding

    @property
    def passed(self) -> bool:
        """Whether the check measured what was expected."""
        return self.finding.status is Status.PASS

    @property
    def broken(self) -> bool:
        """Whether it found something wrong, or could not find out. What only warns holds now."""
        return self.finding.stops or self.finding.status is Status.NOT_MEASURABLE


@dataclass
class Evidence:
    """Collects measurements of a check for its finding, which is a pass where there is no problem."""

    expected: str
    details: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    fixes: list[str] = field(default_factory=list)
    runbook: str = ""
    """The first that was named, of what mends the problems."""

    def note(self, detail: str) -> None:
        """Record a measurement that is as expected."""
        self.details.append(detail)

    def problem(self, words: str, fix: str = "", runbook: str = "") -> None:
        """Record a measurement that is not as expected, and what mends it.

        runbook: the one that does so, as arguments of `crossmesh runbook run`.
        """
        self.problems.append(words)
        self.runbook = self.runbook or runbook
        self.details.append(f"✗ {words}")
        if fix and fix not in self.fixes:
            self.fixes.append(fix)

    def warning(self, words: str, fix: str = "") -> None:
        """Record what is as expected now, and will not be soon, and what keeps it."""
        self.warnings.append(words)
        self.details.append(f"! {words}")
        if fix and fix not in self.fixes:
            self.fixes.append(fix)

    def finding(self, measured: str) -> Finding:
        """The finding, of which the runner says the rule: failed if any problem was recorded, with
        a warning alone where there were only such."""
        return Finding(
            "",
            Status.FAIL if self.problems or self.warnings else Status.PASS,
            "; ".join((*self.problems, *self.warnings)),
            Severity.ERROR if self.problems or not self.warnings else Severity.WARNING,
            fix=" ".join(self.fixes),
            measured=measured,
            expected=self.expected,
            details=tuple(self.details),
            runbook=self.runbook,
        )
