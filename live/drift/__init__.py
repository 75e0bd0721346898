"""What `crossmesh drift` compares, a module for each column.

Each module has `COMPARISON`, what is said of it, and `look(inquiry, record)`. What all other columns have is
objects in clusters, which `clusters` compares whatever they are.
"""

from __future__ import annotations

from live.drift import clusters, exposure, machines, names, trust

COLUMNS = (machines, clusters, trust, exposure, names)
