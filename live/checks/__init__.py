"""What `crossmesh doctor` looks at, a module for each column.

Each module has `checks(platform)`: all its checks, each with its stable id.
"""

from __future__ import annotations

from live.checks import (
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

COLUMNS = (addresses, machines, clusters, network, trust, mesh, namespaces, applications, exposure, names)
"""In the order in which the report has them."""
