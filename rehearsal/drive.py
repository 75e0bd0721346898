"""The course of a rehearsal: the twin comes up, clients call it, the change is made, all is looked at."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rehearsal.clients import Clients, Tally, asking
from rehearsal.crew import crew
from rehearsal.errors import RehearsalError
from rehearsal.objects import Objects
from rehearsal.site import Applied, Grounds, Site, end
from rehearsal.twin import Twin, prefixes, twin
from releases import DISTRIBUTION, built
from report.progress import Say
from stacks.ledger import Ledger
from stacks.load import Stack

UP = "up"
"""The change that is the declaration's own; every other name is a runbook's."""
BEFORE_SECONDS = 15.0
"""So long clients call the twin before the change, to be compared with."""
AFTER_SECONDS = 10.0
"""So long they go on after it."""
_PROGRAMS = ("containerd", "istio", "kubernetes", "metallb")


@dataclass(frozen=True)
class Order:
    """What is to be rehearsed."""

    stack: str
    change: str
    """`up`, or a runbook's name."""
    values: tuple[str, ...] = ()
    """A runbook's parameters, each `name=value`."""
    base: str | None = None
    """The commit whose declaration the twin begins with; None for that of the working tree."""
    approve: tuple[str, ...] = ()
    """Destructive changes that are meant, as the gate takes them."""
    rate: float = 5.0
    """Requests of clients in a second."""
    keep: bool = False
    """Whether the twin stays."""
    objects: tuple[Objects, ...] = ()
    """What others manage in the environment's clusters, for the twin's."""


@dataclass(frozen=True)
class Step:
    """One step of the change."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Course:
    """What happened."""

    order: Order
    bring_up_seconds: float
    gate: dict[str, Any]
    """The gate's word on the change; empty for a runbook."""
    before: tuple[Tally, ...]
    during: tuple[Tally, ...]
    doctor_before: dict[str, Any]
    doctor_after: dict[str, Any]
    steps: tuple[Step, ...]
    seconds: float
    """Of the change itself."""
    failure: str
    """Why the change did not come to its end; empty if it did."""
    repeated: Applied | None
    """`pulumi up` once more, after a change that came to its end."""
    differences: tuple[str, ...]
    kept: str
    """How to look at the twin, where it stays."""

    @property
    def was_made(self) -> bool:
        """Whether the change was let begin."""
        return not self.gate or self.gate["exitCode"] == 0


def rehearse(root: Path, order: Order, say: Say) -> Course:
    """Rehearse. Whatever happens, nothing of the twin stays, unless it is to be kept.

    Raises `RehearsalError` when the twin does not come so far that the change could be tried on it.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(_directory(order)))
        site = Site(root, directory, order.stack, say)
        base, head = _declared(site, order)
        brought = _brought(order, base)
        if not order.keep:
            stack.callback(end, site, say)
        began = time.monotonic()
        first, last = _twins(site, base, head, order)
        grounds = site.grounds(order.base, first)
        say("the twin is brought up")
        made = grounds.up()
        if not made.succeeded:
            raise RehearsalError(
                f"the twin did not come up as it is declared before the change: {made.words}"
            )
        missing = [line for region, several in brought.items() for line in grounds.bring(several, region)]
        last = replace(last, differences=(*last.differences, *missing))
        bring_up = time.monotonic() - began
        target = site.grounds(None, last) if order.base else grounds
        return _try(order, grounds, target, bring_up, last, _kept(order, site, directory))


def _try(order: Order, base: Grounds, target: Grounds, bring_up: float, twin: Twin, kept: str) -> Course:
    say = base.surroundings.say
    outputs = base.outputs()
    urls = [(exposed.example, path) for exposed in twin.environment.exposed for path in exposed.asked]
    with _calling(Clients(urls, asking(outputs), order.rate)) as clients:
        say("clients call the twin, and the doctor looks at it")
        since = time.monotonic()
        doctor_before = base.report("doctor")
        time.sleep(max(0.0, since + BEFORE_SECONDS - time.monotonic()))
        began = time.monotonic()
        before = clients.tallies(since, began)
        gate = _gate(order, target)
        looked = time.monotonic()
        refused = bool(gate and gate["exitCode"])
        steps, failure = ((), "") if refused else _change(order, target)
        changed = time.monotonic()
        say("clients go on for a moment")
        time.sleep(AFTER_SECONDS)
        during = clients.tallies(began, time.monotonic())
    say("the doctor looks at the twin once more")
    # What was not changed is as the base declares it.
    doctor_after = (base if refused else target).report("doctor")
    repeated = None if failure or refused else target.up()
    return Course(
        order=order,
        bring_up_seconds=bring_up,
        gate=gate,
        before=tuple(before),
        during=tuple(during),
        doctor_before=doctor_before,
        doctor_after=doctor_after,
        steps=tuple(steps),
        seconds=changed - looked,
        failure=failure,
        repeated=repeated,
        differences=twin.differences,
        kept=kept,
    )


def _brought(order: Order, base: Stack) -> dict[str, list[Objects]]:
    """What each region's cluster gets beside what is declared, in the order in which it is named."""
    found: dict[str, list[Objects]] = {}
    for objects in order.objects:
        for region in objects.regions(base.environment.regions):
            found.setdefault(region, []).append(objects)
    return found


def _declared(site: Site, order: Order) -> tuple[Stack, Stack]:
    head = site.declared(None)
    return (site.declared(order.base) if order.base else head), head


def _twins(site: Site, base: Stack, head: Stack, order: Order) -> tuple[Twin, Twin]:
    """The twin's declarations before and after the change, on machines that run."""
    declarations = (base.environment, head.environment)
    chosen = crew(declarations, _named(order))
    taken = [
        network for one in declarations for network in (one.addresses.pod_pool, one.addresses.service_pool)
    ]
    site.choose(
        [
            *taken,
            *(net for one in declarations for spec in one.regions.values() for net in spec.routed_services),
        ]
    )
    wanted = _releases(base, head)
    site.install(wanted)
    where = site.start(chosen.regions, prefixes(declarations), wanted)
    lab = site.lab(where)
    first = twin(base.environment, _both(base.ledger, head.ledger), chosen, where, lab)
    slices = Ledger.model_validate(first.config["crossmesh:ledger"])
    return first, twin(head.environment, _both(head.ledger, slices), chosen, where, lab)


def _both(one: Ledger, other: Ledger) -> Ledger:
    """The entries of two ledgers; of both, the first one's."""
    regions = {*one.nodes, *other.nodes}
    return Ledger(
        clusters={**other.clusters, **one.clusters},
        nodes={name: {**other.nodes.get(name, {}), **one.nodes.get(name, {})} for name in sorted(regions)},
    )


def _releases(*stacks: Stack) -> dict[str, list[str]]:
    """The releases that the mirror is to offer, by program: those that are declared and built here."""
    found: dict[str, set[str]] = {program: set() for program in _PROGRAMS}
    for stack in stacks:
        for region in stack.environment.regions:
            for program, version in stack.environment.kept_in(region).items():
                if program in found and version != DISTRIBUTION:
                    found[program].add(version)
    return {program: sorted({*versions} & {*built(program)}) for program, versions in found.items()}


def _named(order: Order) -> Collection[str]:
    return {part for value in order.values for part in value.partition("=")[2].split(",")}


def _gate(order: Order, target: Grounds) -> dict[str, Any]:
    if order.change != UP:
        return {}
    approve = [part for pattern in order.approve for part in ("--approve", pattern)]
    return target.report("gate", *approve)


def _change(order: Order, target: Grounds) -> tuple[list[Step], str]:
    """Make the change. Returns its steps and, if it did not come to its end, why."""
    if order.change == UP:
        done = target.up()
        steps = [Step(f"{phase.name} ({phase.resources})", phase.end - phase.start) for phase in done.phases]
        return steps, "" if done.succeeded else done.words or "the engine gave no reason"
    ended = target.crossmesh("runbook", "run", order.change, *order.values, "--yes", check=False)
    past = json.loads(target.crossmesh("runbook", "history", "--json").stdout)
    steps = [Step(name, seconds) for name, seconds in (past[-1]["steps"] if past else {}).items()]
    # Before its error it tells all that it looked at, of which the end alone is kept.
    return steps, "" if ended.code == 0 else ended.words.rpartition("Error: ")[2]


@contextmanager
def _calling(clients: Clients) -> Iterator[Clients]:
    clients.start()
    try:
        yield clients
    finally:
        clients.stop()


@contextmanager
def _directory(order: Order) -> Iterator[str]:
    if order.keep:
        yield tempfile.mkdtemp(prefix="crossmesh-rehearsal-")
        return
    with tempfile.TemporaryDirectory(prefix="crossmesh-rehearsal-") as name:
        yield name


def _kept(order: Order, site: Site, directory: Path) -> str:
    if not order.keep:
        return ""
    return (
        f"the lab {site.name} (`python -m lab status --name {site.name}`); its state and declarations are in "
        f"{directory}. `python -m lab stop --name {site.name}` ends it; then the directory may go"
    )
