"""Machines: the phases of playbooks that run on them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from gate.effects.column import Column, Drawing, Effect, Judged
from gate.effects.scene import Scene, Side, below, both, host_of, part, phase_of
from gate.effects.table import Table, shown
from playbooks.inventory import host_plans
from playbooks.phase import RECORDED, machine_of
from playbooks.preflight import told
from playbooks.preflight.checks import name_of, refusals
from playbooks.rolling import batches, waves
from playbooks.tokens import HOST_PHASE
from playbooks.work import PHASES, grows, quiet
from report.formats.text import names
from report.model import Blast, Change, Finding, Notice, Op, Resource, Risk

_NOT_MEASURABLE = re.compile(r"^(?P<what>.+?): not measurable(?: from here on)?[:,] (?P<why>.+)$", re.S)
_APPLIED = "as applied"


def _risk(change: Change, scene: Scene) -> Judged:
    old = change.old or change.resource
    if change.op in (Op.DELETE, Op.REPLACE) and old.inputs.get("reset_on_delete"):
        return Risk.DESTRUCTIVE, "the host is reset: what the phase made is taken away"
    if change.op in (Op.CREATE, Op.DELETE):
        return Risk.ORDINARY, ""
    if _moves(change):
        return Risk.DESTRUCTIVE, "what is at the new address takes its place; another machine stays as it is"
    if _is_only_noted(change):
        return Risk.ORDINARY, ""
    changed = {_changed(entry.path) for entry in change.properties} - {*RECORDED, "digest"}
    if changed and changed <= quiet(phase_of(old)) | _grown(change):
        return Risk.ORDINARY, ""
    phase = PHASES.get(phase_of(old))
    if phase is None:
        return Risk.TRAFFIC, "the host is changed"
    if leading := sorted(changed & phase.leads.keys()):
        return Risk.TRAFFIC, phase.leads[leading[0]]
    # Of one variable alone it may mean less than of any.
    alone = changed.pop() if len(changed) == 1 else ""
    return Risk.TRAFFIC, phase.changes.get(alone, phase.change)


def _changed(path: str) -> str:
    """The role variable that a property's path is of, or else the input."""
    head, _, rest = path.partition(".")
    return re.split(r"[.\[]", rest if head in ("variables", "file_sums", "secret_sums") else head)[0]


def _grown(change: Change) -> set[str]:
    """Role variables that have entries more, and no other change, where nothing that runs notices that."""
    old = change.old or change.resource
    before, after = (below(resource.inputs, "variables") for resource in (old, change.resource))
    return {
        name
        for name in grows(phase_of(old))
        if all(below(after, name).get(key) == value for key, value in below(before, name).items())
    }


def _blast(change: Change, scene: Scene, risk: Risk) -> Blast:
    resource = change.old or change.resource
    host, region = host_of(resource), resource.region
    regions = (region,) if region else ()
    if host not in scene.belonging.nodes.get(region, ()):
        servers = sum(len(edges) for edges in scene.there.edges.values())
        concerned = scene.before.routes.services and risk is not Risk.ORDINARY
        return Blast(regions, (), (host,), part(1.0, servers) if concerned else 0.0)
    if risk is Risk.ORDINARY:
        return Blast(regions, (host,))
    nodes = scene.there.nodes.get(region, {host})
    share = scene.share(resource, regions)
    phase = PHASES.get(phase_of(resource))
    if (
        phase is not None
        and phase.carries_cluster
        and risk is Risk.DESTRUCTIVE
        and not _goes_on(scene, resource)
    ):
        return Blast(regions, tuple(sorted(nodes)), (), share)
    return Blast(regions, (host,), (), None if share is None else part(share, len(nodes)))


def _goes_on(scene: Scene, phase: Resource) -> bool:
    """Whether another host carries the cluster on, that did so before."""
    there, then = (
        {
            host_of(other)
            for other in side.phases
            if (other.region, phase_of(other)) == (phase.region, phase_of(phase))
        }
        for side in scene.sides
    )
    return bool((there & then) - {host_of(phase)})


def _moves(change: Change) -> bool:
    return (
        change.op is Op.UPDATE
        and change.old is not None
        and address_of(change.old) != address_of(change.resource)
    )


def _is_only_noted(change: Change) -> bool:
    """Whether an update touches nothing on the host."""
    return bool(change.properties) and all(
        entry.path.split(".")[0] in RECORDED for entry in change.properties
    )


def _turns(scene: Scene) -> dict[str, str]:
    """In words, the batch in which a host has its turn, where there are several."""
    changing = {
        host_of(change.resource)
        for change in scene.changes.changes
        if change.op is Op.UPDATE
        and (phase := PHASES.get(phase_of(change.resource))) is not None
        and phase.has_turns(_changed(entry.path) for entry in change.properties)
        and (_moves(change) or not _is_only_noted(change))
    }
    if scene.head is None or len(changing) < 2:
        return {}
    environment = scene.head.environment
    groups = batches(waves(host_plans(environment, scene.head.ledger), environment), changing)
    return {
        host: f" in batch {number} of {len(groups)}"
        for number, group in enumerate(groups, 1)
        for host in group
    }


def address_of(phase: Resource) -> Any:
    """The address of a phase's machine; None where nobody says."""
    return machine_of(below(phase.inputs, "connection"))


def _phases(scene: Scene) -> Table:
    """One row per host and phase. What check mode said of it is in the row; what it could not say is told
    once for all hosts with the same reason.
    """
    before, after = ({_key(phase): _APPLIED for phase in side.phases} for side in scene.sides)
    notices: dict[str, list[Notice]] = {}
    for notice in scene.changes.notices:
        notices.setdefault(notice.urn, []).append(notice)
    reasons: dict[tuple[str, str], list[str]] = {}
    turns = _turns(scene)
    for change in scene.changes.changes:
        if change.resource.type != HOST_PHASE:
            continue
        key, said = _key(change.resource), notices.get(change.urn, ())
        if change.op is not Op.DELETE:
            turn = turns.get(host_of(change.resource), "") if change.op is Op.UPDATE else ""
            after[key] = _what_runs(change, said, turn)
        elif change.resource.inputs.get("reset_on_delete"):
            before[key] = f"{_APPLIED}; is reset"
        unseen = "check mode"
        if change.resource.inputs.get("preflight") and _preflight(change, said) is None:
            unseen = "preflight and check mode"
        for notice in said:
            if match := _NOT_MEASURABLE.match(notice.message):
                reason = _reason(host_of(change.resource), match["why"])
                reasons.setdefault((unseen, reason), []).append(key)
    missing = (f"{unseen} of {names(keys, 3)}: {why}" for (unseen, why), keys in sorted(reasons.items()))
    return Table(before, after, tuple(missing))


def _what_runs(change: Change, notices: Iterable[Notice], turn: str) -> str:
    said = list(notices)
    words = _what_its_play_does(change, said, turn)
    refused = dict.fromkeys(name_of(finding) for finding in refusals(_preflight(change, said) or ()))
    return f"{words}; its preflight refuses: {', '.join(refused)}" if refused else words


def _preflight(change: Change, notices: Iterable[Notice]) -> list[Finding] | None:
    """What stands against the host; None where it was not looked at."""
    host = host_of(change.resource)
    return next((found for each in notices if (found := told.read(host, each.message)) is not None), None)


def _what_its_play_does(change: Change, notices: Iterable[Notice], turn: str) -> str:
    tasks = [
        notice.message.partition(": ")[2]
        for notice in notices
        if notice.severity == "info" and "would change it" in notice.message
    ]
    if tasks:
        lines = (" / ".join(line.strip() for line in text.splitlines()) for text in tasks)
        # First, since of a long row the end is not shown.
        return f"runs{turn}: " + "; ".join(lines)
    if change.op is Op.CREATE:
        return "runs for the first time"
    names = [entry.path.removeprefix("variables.") for entry in change.properties]
    if _moves(change):
        return f"runs{turn}, at {shown(address_of(change.resource))}"
    if _is_only_noted(change):
        return f"{_APPLIED}; noted: {', '.join(names)}"
    return f"runs{turn}" + (f", because of {', '.join(names)}" if names else "")


def _reason(host: str, why: str) -> str:
    """A reason without what is of one host, so that hosts share it."""
    first = why.strip().splitlines()[0].removeprefix(f"{host}: ")
    return re.sub(r"host unreachable \(.*\)", "host unreachable", first)


def _key(phase: Resource) -> str:
    return f"{host_of(phase)} {phase_of(phase)}"


def _addresses(side: Side) -> dict[str, str]:
    return {
        f"{phase.region}: machine {host_of(phase)}": shown(address_of(phase))
        for phase in side.phases
        if below(phase.inputs, "connection")
    }


def _draw(scene: Scene, drawing: Drawing) -> None:
    for region, phases in scene.by_region(HOST_PHASE).items():
        by_host: dict[str, list[Resource]] = {}
        for phase in phases:
            by_host.setdefault(host_of(phase), []).append(phase)
        for host, own in sorted(by_host.items()) if region else ():
            node = host in scene.belonging.nodes.get(region, ())
            holder = f"{'cluster' if node else 'region'}:{region}"
            drawing.add(f"host:{host}", "node" if node else "edge", host, holder, own)


COLUMN = Column(
    name="machines",
    kinds={HOST_PHASE: Effect(judge=_risk, blast=_blast)},
    rows={"hosts": _phases, "addresses": both(_addresses)},
    draw=_draw,
)
