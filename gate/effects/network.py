"""The network of pods: each node's slice, and who may call whom."""

from __future__ import annotations

from components.tokens import POD_NETWORK
from gate.effects.column import Column, Effect, Judged
from gate.effects.scene import Scene, Side, below, both, host_of
from gate.effects.table import shown
from report.model import Change, Op, Risk
from report.urns import parent_type

_SLICE = "pod_network_slice"


def _slices(side: Side) -> dict[str, str]:
    return {
        f"{phase.region}: pods of node {host_of(phase)}": shown(variables[_SLICE])
        for phase in side.phases
        if _SLICE in (variables := below(phase.inputs, "variables"))
    }


def _record(change: Change, scene: Scene) -> Judged | None:
    """Whether it is the record of what nodes were given."""
    if change.op is Op.CREATE or parent_type(change.resource) != POD_NETWORK:
        return None
    return Risk.TRAFFIC, "which slices nodes have changes"


COLUMN = Column(
    name="network",
    kinds={
        "ConfigMap": Effect(judge=_record),
        "NetworkPolicy": Effect(traffic="who may call whom changes", cuts=True),
    },
    rows={"addresses": both(_slices)},
)
