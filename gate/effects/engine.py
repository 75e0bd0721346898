"""Asks every column what a change set means: risks, layers, and the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import or_

from gate.effects import COLUMNS
from gate.effects.column import Drawing, Effect, Judged
from gate.effects.scene import Scene, kind_of, metadata
from gate.effects.table import Table
from report.model import Blast, Change, ChangeSet, Layer, Op, Risk, Topology
from stacks.load import Stack

_EFFECTS: dict[str, list[Effect]] = {}
"""What columns say of each kind, in their order; the first that is hurt by a change has the word."""
for _column in COLUMNS:
    for _kind, _effect in _column.kinds.items():
        _EFFECTS.setdefault(_kind, []).append(_effect)
_LAYERS = {
    "hosts": "Hosts: phases of playbooks",
    "objects": "Objects in clusters, by part",
    "dns": "DNS answers",
    "exposure": "Reachable from outside",
    "addresses": "Addresses",
}
"""Titles of the layers by id, in their order."""


def assess(changes: ChangeSet) -> ChangeSet:
    """Give each change its risk and blast radius, and put the worst first.

    Shares of traffic rest on an assumption: all regions that serve are sent the same amount (all healthy
    gateways are answered), and within a region all worker nodes carry the same. None: it cannot be said.
    """
    scene = Scene(changes)
    assessed = [_assessed(change, scene) for change in changes.changes]
    return replace(changes, changes=tuple(sorted(assessed, key=_order)))


def layers(changes: ChangeSet, head: Stack, base: Stack | None = None) -> tuple[Layer, ...]:
    """All layers, always in this order. `base`: the declaration before the change, where it is known."""
    scene = Scene(changes, head, base)
    told = []
    for id, title in _LAYERS.items():
        table = reduce(or_, (column.rows[id](scene) for column in COLUMNS if id in column.rows), Table())
        told.append(Layer(id, title, table.rows, table.not_measurable))
    return tuple(told)


def topology(changes: ChangeSet) -> Topology:
    """Parts and links before and after the change together; what goes is there as well."""
    scene, drawing = Scene(changes), Drawing(changes)
    for column in COLUMNS:
        if column.draw is not None:
            column.draw(scene, drawing)
    return drawing.drawn()


def _order(change: Change) -> tuple[int, float, int, int, str]:
    blast = change.blast
    share = 1.0 if blast.traffic is None else blast.traffic
    return change.risk.rank, -share, -len(blast.clusters), -len(blast.nodes), change.urn


def _assessed(change: Change, scene: Scene) -> Change:
    effects = _EFFECTS.get(kind_of(change.resource), ())
    judged = (_risk(change, effect, scene) for effect in effects)
    risk, why = next((found for found in judged if found[0] is not Risk.ORDINARY), (Risk.ORDINARY, ""))
    own = next((effect.blast for effect in effects if effect.blast), None)
    blast = own(change, scene, risk) if own else _blast(change, effects, scene, risk)
    return replace(change, risk=risk, why=why, blast=blast)


def _risk(change: Change, effect: Effect, scene: Scene) -> Judged:
    """What one column says of a change."""
    if effect.judge and (judged := effect.judge(change, scene)):
        return judged
    goes = change.op in (Op.DELETE, Op.REPLACE)
    if goes and effect.loss:
        return Risk.DESTRUCTIVE, effect.loss
    if goes and effect.needed:
        return Risk.TRAFFIC, effect.needed
    if effect.traffic and change.op is not Op.CREATE:
        return Risk.TRAFFIC, "it goes" if change.op is Op.DELETE else effect.traffic
    resource = change.resource
    if effect.cuts and (resource.region, metadata(resource).get("namespace")) in scene.namespaces:
        return Risk.TRAFFIC, effect.traffic
    return Risk.ORDINARY, ""


def _blast(change: Change, effects: Sequence[Effect], scene: Scene, risk: Risk) -> Blast:
    resource, there = change.old or change.resource, scene.there
    region = resource.region
    regions = (region,) if region else tuple(sorted(there.regions))
    whole = risk is Risk.DESTRUCTIVE and any(effect.whole for effect in effects)
    on_nodes = regions if whole or any(effect.everywhere for effect in effects) else ()
    nodes = {node for name in on_nodes for node in there.nodes.get(name, ())}
    hosts = there.edges.get(region, set()) if whole else ()
    traffic = 0.0 if risk is Risk.ORDINARY else scene.share(resource, regions)
    return Blast(regions, tuple(sorted(nodes)), tuple(sorted(hosts)), traffic)
