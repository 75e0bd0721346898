"""What must be true of this computer before a lab starts; each failure comes with its fix."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab import cgroups, network
from lab.addressing import LabAddresses
from lab.errors import LabError

_LEAST_FREE_GIB = 10


def check(state: Path) -> None:
    """Check rights, disk space and kernel. Raises LabError for the first thing that is wrong."""
    check_root()
    if not Path("/proc/self/ns/cgroup").exists():
        raise LabError("this kernel has no cgroup namespaces", "use Linux 4.6 or newer with CONFIG_CGROUPS")
    cgroups.hierarchies()
    existing = next(path for path in (state, *state.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 2**30
    if free < _LEAST_FREE_GIB:
        raise LabError(
            f"{free:.1f} GiB are free on the disk of {state}, and a lab needs {_LEAST_FREE_GIB}",
            "make room, or set XDG_STATE_HOME to a larger disk",
        )


def check_root() -> None:
    """Machines need root. Raises LabError without it."""
    if os.geteuid() != 0:
        raise LabError("the lab must be run as root: it makes namespaces and boots machines", "use sudo")


def check_network(addresses: LabAddresses) -> None:
    """Check that the lab's network is nobody else's. Raises LabError naming the other one."""
    if routes := network.overlapping_routes(addresses):
        raise LabError(
            f"{addresses.network}, the network of lab {addresses.name}, is used already: {', '.join(routes)}",
            "choose another name with --name: the network follows from it; "
            "or remove that route if nothing needs it",
        )
