"""A run from its name to its end: site, journal and locks opened, the engine in between."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from report.errors import OperationsError
from report.problem import Problem
from runbooks import journal as journals
from runbooks import locks
from runbooks.catalogue import runbook as named
from runbooks.engine import Runner, require_ended
from runbooks.history import Past, estimate, unfinished
from runbooks.journal import Entry, Journal
from runbooks.model import Blast, Runbook, Site

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a run would do, as things are now."""

    runbook: Runbook[Any]
    values: Mapping[str, str]
    blast: Blast
    problems: list[Problem]
    """What stands against it, worst first."""
    due: list[tuple[str, str, str]]
    """Steps by name and sentence, with what is lacking now; empty for one that is reached already."""
    seconds: float
    """How long it takes by earlier runs here; 0 where there was none."""
    earlier: int
    """How many those are."""

    @property
    def blocked(self) -> bool:
        """Whether it may not begin."""
        return any(problem.blocks for problem in self.problems)


@contextmanager
def opened(
    name: str, stack: str, given: Mapping[str, str]
) -> Iterator[tuple[Runbook[Any], Any, dict[str, str]]]:
    """A runbook, its open site, and the values of its parameters."""
    book = named(name)
    values = book.values(given)
    with book.opened(stack, values) as site:
        yield book, site, values


def plan(book: Runbook[Any], site: Site, values: Mapping[str, str], entries: list[Entry]) -> Plan:
    """Look at everything, change nothing."""
    seconds, earlier = estimate(entries, book.name, [step.name for step in book.steps])
    return Plan(
        book,
        values,
        book.blast(site),
        book.preconditions(site),
        [(step.name, step.says, step.verify(site)) for step in book.steps],
        seconds,
        earlier,
    )


def run(
    book: Runbook[Any], site: Any, values: Mapping[str, str], stack: str, confirmed: str, tell: Tell
) -> None:
    """Run it. Preconditions are looked at again, with the locks held. Raises as `Runner.begin` does."""
    run_id = secrets.token_hex(4)
    # What a killed run has left is told by the journal, at once; its lock says only that somebody held it.
    with _held(book, site, stack, run_id, tell, require_ended) as journal:
        against = [problem for problem in book.preconditions(site) if problem.blocks]
        if against:
            raise OperationsError("; ".join(problem.what for problem in against), fix=against[0].fix)
        Runner(book, site, journal, tell).begin(run_id, {**values, **book.fixed(site)}, confirmed)


def resume(stack: str, tell: Tell) -> Past:
    """Go on with the run that has not ended. Raises as `Runner.resume` does."""
    past = _unfinished(stack)
    with (
        opened(past.runbook, stack, past.values) as (book, site, _),
        _held(book, site, stack, past.run, tell) as journal,
    ):
        Runner(book, site, journal, tell).resume(past)
    return past


def abort(stack: str, tell: Tell) -> tuple[Past, list[str]]:
    """Take back what the run did that has not ended; returns it with what stays."""
    past = _unfinished(stack)
    with (
        opened(past.runbook, stack, past.values) as (book, site, _),
        _held(book, site, stack, past.run, tell) as journal,
    ):
        return past, Runner(book, site, journal, tell).abort(past)


@contextmanager
def _held(
    book: Runbook[Any],
    site: Any,
    stack: str,
    run: str,
    tell: Tell,
    allowed: Callable[[Journal], None] = lambda journal: None,
) -> Iterator[Journal]:
    """Hold the journal, then the locks; the site hears of a loss. allowed: raises what forbids it."""
    with contextlib.ExitStack() as held:
        journal = held.enter_context(journals.opened(journals.home(stack)))
        allowed(journal)
        keeper = held.enter_context(locks.held(site.places(), run, f"runbook {book.name}", tell))
        site.run, site.tell, site.lost = run, tell, lambda: keeper.lost
        # For those that drive an `up`.
        site.passed = lambda: keeper.passed(run)
        yield journal


def _unfinished(stack: str) -> Past:
    past = unfinished(journals.read(journals.home(stack)))
    if past is None:
        raise OperationsError(
            f"no run of stack {stack} is unfinished", fix="`crossmesh runbook history` lists all"
        )
    return past
