"""The network of pods: each node's slice, and who may call whom."""

from __future__ import annotations

from collections.abc import Mapping

from components.tokens import POD_NETWORK
from gate.effects.column import Column, Effect, Judged
from gate.effects.scene import Scene, Side, below, both, host_of
from gate.effects.table import shown
from playbooks.tokens import TUNNEL_KEY
from report.formats.text import many
from report.model import Change, Op, Risk
from report.urns import parent_type

_SLICE = "pod_network_slice"
_PEERS = "tunnel_peers"


def _slices(side: Side) -> dict[str, str]:
    return {
        f"{phase.region}: pods of node {host_of(phase)}": shown(variables[_SLICE])
        for phase in side.phases
        if _SLICE in (variables := below(phase.inputs, "variables"))
    }


def _tunnels(side: Side) -> dict[str, str]:
    """What of each node's tunnels others must let through, and to how many nodes they lead."""
    rows = {}
    for phase in side.phases:
        if _PEERS in (variables := below(phase.inputs, "variables")):
            peers, port, mtu = (shown(variables.get(f"tunnel_{name}")) for name in ("peers", "port", "mtu"))
            count = many(len(variables[_PEERS]), "node") if isinstance(variables[_PEERS], Mapping) else peers
            words = f"to {count}, UDP {port}, packets of {mtu} bytes"
            rows[f"{phase.region}: tunnels of node {host_of(phase)}"] = words
    return rows


def _addresses(side: Side) -> dict[str, str]:
    return _slices(side) | _tunnels(side)


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
        TUNNEL_KEY: Effect(
            traffic="every tunnel of the node begins anew, as its other ends take on the new key"
        ),
    },
    rows={"addresses": both(_addresses)},
)
