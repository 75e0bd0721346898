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

_MODULES = (addresses, machines, clusters, network, trust, mesh, namespaces, applications, exposure, names)
COLUMNS: tuple[Column, ...] = tuple(module.COLUMN for module in _MODULES)
