"""Run checks in parallel, each as soon as what it needs is known, each bounded in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from graphlib import TopologicalSorter
from queue import Empty, SimpleQueue

from live.doctor.model import Check, Finding, NotMeasurable, Result, Status, Watch
from report.errors import OperationsError

PARALLEL = 16
"""Checks at work at the same time; they wait for answers far more than they compute."""

GRACE_SECONDS = 2.0
"""How long after its deadline a check is waited for, so that its own words win over the runner's."""


def run_checks(
    checks: Sequence[Check],
    on_result: Callable[[Result], None] = lambda result: None,
    on_wait: Callable[[Sequence[tuple[Check, Watch]]], None] = lambda running: None,
) -> list[Result]:
    """Results of all checks, in their order.

    `on_result` is called as each ends, `on_wait` about twice a second with those that run. A check that
    fails, or that another one needs and that is not ok, stops nothing else. Raises `ValueError` for needs
    that nobody meets.
    """
    _validate(checks)
    results: dict[str, Result] = {}
    waiting = list(checks)
    running: dict[str, tuple[Check, Watch]] = {}
    ended: SimpleQueue[Result] = SimpleQueue()

    def finish(result: Result) -> None:
        running.pop(result.check.id, None)
        # A check that was given up may still answer later: the first word stands.
        if result.check.id not in results:
            results[result.check.id] = result
            on_result(result)

    while waiting or running:
        for check in list(waiting):
            if any(need not in results for need in check.needs):
                continue
            broken = [need for need in check.needs if results[need].finding.status is not Status.OK]
            if broken:
                waiting.remove(check)
                finish(Result(check, _blocked(broken)))
            elif len(running) < PARALLEL:
                waiting.remove(check)
                watch = Watch(check.seconds)
                running[check.id] = (check, watch)
                threading.Thread(target=_run, args=(check, watch, ended), name=check.id, daemon=True).start()
        on_wait(list(running.values()))
        if running:
            with suppress(Empty):
                finish(ended.get(timeout=0.5))
        for check, watch in list(running.values()):
            if time.monotonic() > watch.deadline + GRACE_SECONDS:
                finish(Result(check, _late(check, watch), check.seconds))
    return [results[check.id] for check in checks]


def _validate(checks: Sequence[Check]) -> None:
    ids = [check.id for check in checks]
    for check in checks:
        if ids.count(check.id) > 1:
            raise ValueError(f"two checks have the id {check.id!r}")
        if unmet := sorted(set(check.needs) - set(ids)):
            raise ValueError(f"check {check.id!r} needs {unmet}, which no check is")
    # Raises where checks need each other.
    TopologicalSorter({check.id: check.needs for check in checks}).prepare()


def _run(check: Check, watch: Watch, ended: SimpleQueue[Result]) -> None:
    start = time.monotonic()
    try:
        finding = check.run(watch)
    except NotMeasurable as reason:
        finding = Finding(
            Status.NOT_MEASURABLE, "nothing", check.title, explanation=str(reason), fix=reason.fix
        )
    except (OperationsError, OSError) as error:
        words, fix = (error.message, error.fix) if isinstance(error, OperationsError) else (str(error), "")
        finding = Finding(
            Status.FAILED,
            f"no usable answer at {watch.waiting_for}",
            check.title,
            explanation=words,
            fix=fix or "See the check of the API server or address that it names.",
        )
    except Exception as error:  # a defect of one check must not hide what the others found
        finding = Finding(
            Status.NOT_MEASURABLE,
            "nothing",
            check.title,
            explanation=f"the check itself broke at {watch.waiting_for}: {type(error).__name__}: {error}",
            fix="This is a defect of crossmesh doctor; please report it with these words.",
        )
    ended.put(Result(check, finding, time.monotonic() - start))


def _blocked(broken: Sequence[str]) -> Finding:
    return Finding(
        Status.NOT_MEASURABLE,
        "nothing",
        "a check that can be measured",
        explanation=f"it rests on {', '.join(broken)}, which is not ok",
        fix=f"Mend {broken[0]} first.",
    )


def _late(check: Check, watch: Watch) -> Finding:
    return Finding(
        Status.FAILED,
        f"no answer within {check.seconds:.0f} s",
        check.title,
        explanation=f"time ran out while waiting for {watch.waiting_for}",
        fix="Look at what it waited for; a busy machine may need a second run.",
    )
