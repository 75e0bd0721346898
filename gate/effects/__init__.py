"""What changes mean, by column: how much each can hurt, how far it reaches, its layers and the picture."""

from __future__ import annotations

from gate.effects import (
    addresses,
    applications,
    clusters,
    exposure,
    machines,
    mesh,
    names,
    namespaces,
    network,
    trust,
)
from gate.effects.column import Column

COLUMNS: tuple[Column, ...] = (
    addresses.COLUMN,
    machines.COLUMN,
    clusters.COLUMN,
    network.COLUMN,
    trust.COLUMN,
    mesh.COLUMN,
    namespaces.COLUMN,
    applications.COLUMN,
    exposure.COLUMN,
    names.COLUMN,
)
