"""The network of pods: each node's slice, and who may call whom."""

from __future__ import annotations

from gate.effects.belonging import host_of
from gate.effects.column import Column, Effect
from gate.effects.scene import Scene, Side, below
from gate.effects.table import Table, shown
from playbooks.tokens import HOST_PHASE

_SLICE = "pod_network_slice"


def _slices(scene: Scene) -> Table:
    def slices(side: Side) -> dict[str, str]:
        return {
            f"{phase.region}: pods of node {host_of(phase)}": shown(variables[_SLICE])
            for phase in side.of(HOST_PHASE)
            for variables in [below(phase.inputs, "variables")]
            if _SLICE in variables
        }

    return scene.table(slices)


COLUMN = Column(
    name="network",
    kinds={"NetworkPolicy": Effect(traffic="who may call whom changes", cuts=True)},
    rows={"addresses": _slices},
)
