"""One examination for drift over one stack: all layers side by side, within a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from access.locks import require_unlocked
from access.producer import producer
from gate.effects import engine as effects
from gate.effects import sources
from live.drift import COLUMNS, judge
from live.drift.access import Clusters
from live.drift.inquiry import Inquiry
from live.drift.mask import Mask
from live.drift.model import Record
from live.state import State, read_stack, read_state
from report.errors import CancelledError
from report.examination import Examination
from report.progress import Say, Watch
from stacks.load import stack_path

GRACE_SECONDS = 20.0
"""How long after the end of the time a layer is waited for: requests and runs on hosts end in order."""


@dataclass(frozen=True)
class DriftOptions:
    """What is asked for, the same for all stacks."""

    now: datetime
    """Certificates are judged by it."""
    layers: tuple[str, ...] = judge.LAYERS
    strict: bool = False
    """Whether what is not measurable counts as a failure."""
    timeout: float = 300
    """Seconds for reading the state and for all layers together."""


def drift(
    root: Path, stack: str, options: DriftOptions, say: Say, stopped: threading.Event | None = None
) -> Examination:
    """Compare what is live with what was applied to one stack. Nothing is changed.

    stopped: set it to have the examination end early, in order; it then raises `CancelledError`.

    Raises `report.errors.OperationsError` and its kin, each with its exit code.
    """
    head = read_stack(stack_path(stack, root))
    say("reading the state")
    watch = Watch(options.timeout, stopped)
    state = _state(stack, watch)
    applied = judge.rules(options.layers)
    if state.is_empty:
        seen = [Record(comparison).seen() for comparison in judge.comparisons(options.layers)]
        why = f"{judge.EMPTY[0].lower()}{judge.EMPTY[1:]}"
        findings = judge.unseen(applied, why, fix=f"Run `pulumi up --stack {stack}`.")
    else:
        mask = Mask(state.secrets())
        with Clusters(state.ways()) as opened:
            inquiry = Inquiry(state, head, opened, watch, mask, options.now)
            seen = [mask.seen(layer) for layer in _look(inquiry, options.layers, say)]
        findings = judge.findings(seen, applied)
    read = sources.open_sources(head.path, root)
    changes = judge.told(sources.locate(effects.assess(judge.change_set(state, seen)), read))
    return Examination(
        stack=stack,
        verb="drift",
        verdict=judge.verdict(changes, seen, findings, options.strict, empty=state.is_empty),
        changes=changes,
        layers=tuple(layer.layer for layer in seen),
        rules=applied,
        findings=sources.place(findings, changes, read),
        producer=producer(root),
        topology=effects.topology(changes),
    )


def _state(stack: str, watch: Watch) -> State:
    """The state, of a stack that nobody is changing."""
    why = "What differs now is no drift. Wait for that run's end, then look again."
    with ThreadPoolExecutor(2) as pool:
        unlocked, state = (
            pool.submit(require_unlocked, stack, why),
            pool.submit(read_state, stack, watch.remaining),
        )
        unlocked.result()
        return state.result()


@dataclass(frozen=True)
class _Work:
    """A layer that is looked at."""

    record: Record
    watch: Watch
    thread: threading.Thread

    @property
    def layer(self) -> str:
        return self.record.comparison.layer


def _look(inquiry: Inquiry, layers: Sequence[str], say: Say) -> list[Record]:
    """What each layer finds, in their order."""
    works = []
    for column in COLUMNS:
        if column.COMPARISON.layer in layers:
            record, watch = Record(column.COMPARISON), copy(inquiry.watch)
            look = partial(column.look, replace(inquiry, watch=watch))
            thread = threading.Thread(target=_run, args=(look, record), daemon=True)
            thread.start()
            works.append(_Work(record, watch, thread))
    for work in _wait(works, say):
        work.record.late = True
        fix = "Allow more (--timeout), or see why that does not answer."
        why = f"time ran out while waiting for {work.watch.waiting_for}"
        work.record.not_measurable(work.layer, why, fix=fix)
    if inquiry.watch.stopped.is_set():
        raise CancelledError("Interrupted.")
    return [work.record.seen() for work in works]


def _run(look: Callable[[Record], None], record: Record) -> None:
    """Run a layer. A defect of one must not hide what the others found."""
    try:
        look(record)
    except Exception as error:
        record.broken = True
        record.not_measurable(
            record.comparison.layer,
            f"the comparison itself broke: {type(error).__name__}: {error}",
            fix="This is a defect of crossmesh drift; please report it with these words.",
        )


def _wait(works: Sequence[_Work], say: Say) -> list[_Work]:
    """Wait for the layers, after their time a little longer; those that have not ended even so."""
    over: float | None = None
    while alive := [work for work in works if work.thread.is_alive()]:
        say("; ".join(sorted(f"{work.layer}: {work.watch.waiting_for}" for work in alive)))
        if alive[0].watch.over:
            over = over or time.monotonic() + GRACE_SECONDS
            if time.monotonic() > over:
                break
        time.sleep(0.1)
    return alive
