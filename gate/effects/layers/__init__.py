"""The change seen layer by layer: hosts, charts, names, exposed paths and addresses, before and after."""

from __future__ import annotations

from gate.effects.layers.addresses import addresses
from gate.effects.layers.dns import dns
from gate.effects.layers.exposure import exposure
from gate.effects.layers.hosts import hosts
from gate.effects.layers.objects import objects
from report.model import ChangeSet, Layer
from stacks.load import Stack


def layers(changes: ChangeSet, head: Stack, base: Stack | None = None) -> tuple[Layer, ...]:
    """All layers, always in this order. `base`: the declaration before the change, where it is known."""
    return (
        hosts(changes),
        objects(changes),
        dns(changes),
        exposure(changes),
        addresses(changes, head, base),
    )
