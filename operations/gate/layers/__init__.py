"""The change seen layer by layer: hosts, charts, names, exposed paths and addresses, before and after."""

from __future__ import annotations

from operations.gate.layers.addresses import addresses
from operations.gate.layers.dns import dns
from operations.gate.layers.exposure import exposure
from operations.gate.layers.hosts import hosts
from operations.gate.layers.objects import objects
from operations.gate.model import ChangeSet, Layer
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
