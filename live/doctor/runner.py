"""Run checks in parallel, each as soon as what it needs is known, each bounded in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from graphlib import TopologicalSorter
from queue import Empty, SimpleQueue

from live.doctor.keys import Key
from live.doctor.model import Check, CheckResult, Finding, NotMeasurable, Watch
from report.errors import OperationsError
from report.model import Status

PARALLEL = 16
"""Checks at work at the same time; they wait for answers far more than they compute."""

GRACE_SECONDS = 2.0
"""How long after its deadline a check is waited for, so that its own words win over the runner's."""


def run_checks(
    checks: Sequence[Check], tell: Callable[[str], None] = lambda words: None
) -> list[CheckResult]:
    """Results of all checks, in their order.

    `tell` hears about twice a second how many have ended and what the one that runs longest waits for. A
    check that fails, or that another one needs and that did not pass, stops nothing else. Raises `ValueError`
    for foundations that no check is, and for those that rest on each other.
    """
    validate(checks)
    results: dict[Key, CheckResult] = {}
    waiting = list(checks)
    running: dict[str, tuple[Check, Watch]] = {}
    ended: SimpleQueue[CheckResult] = SimpleQueue()

    def finish(result: CheckResult) -> None:
        running.pop(result.check.id, None)
        # A check that was given up may still answer later: the first word stands.
        if result.check.id not in results:
            placed = result.check.placed(result.finding)
            named = replace(placed, rule=result.check.rule.id)
            results[result.check.id] = replace(result, finding=named)

    while waiting or running:
        for check in list(waiting):
            if any(need not in results for need in check.needs):
                continue
            broken = [need for need in check.needs if results[need].broken]
            if broken:
                waiting.remove(check)
                why = f"it rests on {', '.join(broken)}, which is not ok"
                blocked = _unmet(why, f"Mend {broken[0]} first.", "a check that can be measured")
                finish(CheckResult(check, blocked))
            elif len(running) < PARALLEL:
                waiting.remove(check)
                watch = Watch(check.seconds)
                running[check.id] = (check, watch)
                threading.Thread(target=_run, args=(check, watch, ended), name=check.id, daemon=True).start()
        if running:
            tell(_progress(results.values(), *next(iter(running.values()))))
            with suppress(Empty):
                finish(ended.get(timeout=0.5))
        for check, watch in list(running.values()):
            if time.monotonic() > watch.deadline + GRACE_SECONDS:
                why = f"time ran out while waiting for {watch.waiting_for}"
                fix = "Look at what it waited for; a busy machine may need a second run."
                late = _unmet(why, fix, check.title, f"no answer within {check.seconds:.0f} s")
                finish(CheckResult(check, late))
    return [results[check.id] for check in checks]


def _progress(results: Collection[CheckResult], check: Check, watch: Watch) -> str:
    bad = sum(not result.passed for result in results)
    ended = f"{len(results)} checks ended{f', {bad} not ok' if bad else ''}"
    return f"{ended}; {check.id} waits for {watch.waiting_for}"


def validate(checks: Sequence[Check]) -> None:
    """Raise `ValueError` for an id that two checks have, for foundations that no check is, and for checks
    that rest on each other.
    """
    ids = [check.id for check in checks]
    for check in checks:
        if ids.count(check.id) > 1:
            raise ValueError(f"two checks have the id {check.id!r}")
        if unmet := sorted(check.foundations - set(ids)):
            raise ValueError(f"check {check.id!r} rests on {unmet}, which no check is")
    TopologicalSorter({check.id: check.foundations for check in checks}).prepare()


def _run(check: Check, watch: Watch, ended: SimpleQueue[CheckResult]) -> None:
    try:
        finding = check.run(watch)
    except NotMeasurable as reason:
        finding = _unmet(str(reason), reason.fix, check.title)
    except (OperationsError, OSError) as error:
        words, fix = (error.message, error.fix) if isinstance(error, OperationsError) else (str(error), "")
        fix = fix or "See the check of the API server or address that it names."
        finding = _unmet(words, fix, check.title, f"no usable answer at {watch.waiting_for}")
    except Exception as error:  # a defect of one check must not hide what the others found
        finding = _unmet(
            f"the check itself broke at {watch.waiting_for}: {type(error).__name__}: {error}",
            "This is a defect of crossmesh doctor; please report it with these words.",
            check.title,
        )
    ended.put(CheckResult(check, finding))


def _unmet(why: str, fix: str, expected: str, measured: str = "") -> Finding:
    """A check without a finding of its own: failed by what was measured, or not measurable."""
    status = Status.FAIL if measured else Status.NOT_MEASURABLE
    return Finding("", status, why, fix=fix, measured=measured or "nothing", expected=expected)
