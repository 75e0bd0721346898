"""Runs a runbook by its journal: begin, go on after a kill, take back.

Every step goes the same way: verified already, it is passed over; else what stands against it is asked,
what is there is written down, it is done, and verified. A step counts by what `verify` sees, never by
what a run remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from report.errors import CancelledError, LockedError, OperationsError
from report.problem import Problem
from runbooks.history import Past, unfinished
from runbooks.journal import Journal, Outcome, What
from runbooks.model import Facts, Runbook, Site, Step

Tell = Callable[[str], None]


class RunFailedError(OperationsError):
    """A run stopped at a step. What it did was taken back, or stands, as the message says."""


def require_ended(journal: Journal) -> None:
    """Raise LockedError while an earlier run has not ended."""
    past = unfinished(journal.entries)
    if past:
        raise LockedError(
            f"run {past.run}, {past.runbook} {_words(past.values)}, begun by {past.by}, has not ended",
            fix="`crossmesh runbook resume` goes on with it, `crossmesh runbook abort` takes it back",
        )


class Runner:
    """One run of a runbook on its open site, with the journal held and its hosts locked."""

    def __init__(self, runbook: Runbook[Any], site: Site, journal: Journal, tell: Tell) -> None:
        """tell: gets a line for people whenever something begins or ends."""
        self._runbook = runbook
        self._site: Any = site
        self._journal = journal
        self._tell = tell

    def begin(self, run: str, values: Mapping[str, str], confirmed: str) -> None:
        """Run it. run: its new id. confirmed: by which name, or `--yes`.

        Raises LockedError while an earlier run has not ended, RunFailedError, and CancelledError.
        """
        require_ended(self._journal)
        data: dict[str, Any] = {"runbook": self._runbook.name, "values": dict(values), "confirmed": confirmed}
        self._journal.write(run, What.BEGUN, **data)
        self._go(run)

    def resume(self, past: Past) -> None:
        """Go on with a run that has not ended. Raises as `begin` does."""
        self._journal.write(past.run, What.RESUMED)
        self._go(past.run)

    def abort(self, past: Past) -> list[str]:
        """Take back what a run did that has not ended; returns what of it stays, with why.

        Raises RunFailedError when taking back fails; the run has not ended then.
        """
        return self._take_back(past.run, "aborted")

    def _go(self, run: str) -> None:
        try:
            for step in self._runbook.steps:
                self._step(run, step)
            left = [problem for problem in self._runbook.postconditions(self._site) if problem.blocks]
            if left:
                raise OperationsError(f"all steps are done, and {_listed(left)}")
        except (CancelledError, KeyboardInterrupt) as error:
            # Nobody said that it was wrong: it stays as it is, and can go on or be taken back.
            why = str(error) or "interrupted"
            self._journal.write(run, What.FAILED, why=why)
            raise CancelledError(
                f"{why}\nThe run {run} stands where it is",
                fix="`crossmesh runbook resume` goes on, `crossmesh runbook abort` takes it back",
            ) from None
        except OperationsError as error:
            self._journal.write(run, What.FAILED, why=str(error))
            if self._runbook.takes_back:
                self._tell(f"failed: {error}")
                stays = self._take_back(run, str(error))
                words = f"; what stays: {', '.join(stays)}" if stays else ""
                raise RunFailedError(f"{error}\nWhat run {run} did was taken back{words}") from None
            raise RunFailedError(
                f"{error}\nThe run {run} stands where it is",
                fix="mend that, then `crossmesh runbook resume`; `crossmesh runbook abort` takes it back",
            ) from None
        self._journal.write(run, What.ENDED, outcome=Outcome.SUCCEEDED.value)

    def _step(self, run: str, step: Step[Any]) -> None:
        if not step.verify(self._site):
            self._journal.write(run, What.REACHED, step.name)
            self._tell(f"{step.name}: so already")
            return
        against = [problem for problem in step.check(self._site) if problem.blocks]
        if against:
            raise OperationsError(f"{step.name}: {_listed(against)}")
        if why := self._site.lost():
            raise CancelledError(f"stopped before {step.name}: {why}")
        self._journal.write(run, What.DOING, step.name, before=step.before(self._site))
        self._tell(f"{step.name}: {step.says}")
        step.do(self._site)
        lacking = step.verify(self._site)
        if lacking:
            raise OperationsError(f"{step.name}: done, and {lacking}")
        self._journal.write(run, What.REACHED, step.name)
        self._tell(f"{step.name}: done")

    def _take_back(self, run: str, why: str) -> list[str]:
        """Undo what stands, last first, and end the run; returns what cannot be undone."""
        past = unfinished(self._journal.entries)
        standing = dict(past.standing) if past and past.run == run else {}
        stays: list[str] = []
        for step in reversed(self._runbook.steps):
            if step.name not in standing:
                continue
            if step.undo is None:
                stays.append(f"{step.name} ({step.one_way or 'nothing takes it back'})")
                continue
            self._undo(run, step, standing[step.name], why)
        self._journal.write(
            run, What.ENDED, outcome=(Outcome.LEFT if stays else Outcome.TAKEN_BACK).value, why=why
        )
        return stays

    def _undo(self, run: str, step: Step[Any], before: Facts, why: str) -> None:
        assert step.undo is not None
        self._journal.write(run, What.UNDOING, step.name)
        try:
            step.undo(self._site, before)
        except OperationsError as error:
            self._journal.write(run, What.FAILED, step.name, why=str(error))
            raise RunFailedError(
                f"{why}\nTaking back {step.name} of run {run} failed too: {error}",
                fix="mend that, then `crossmesh runbook abort` goes on taking it back",
            ) from None
        self._journal.write(run, What.UNDONE, step.name)
        self._tell(f"{step.name}: taken back")


def _listed(problems: list[Problem]) -> str:
    words = [f"{problem.what}{f' ({problem.fix})' if problem.fix else ''}" for problem in problems]
    return "; ".join(words)


def _words(values: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items() if value)
