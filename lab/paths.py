"""Where the lab keeps things: caches shared by all labs, and one directory of state per lab."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """What is costly to make and the same for every lab: root file systems, packages, images, a key."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "crossmesh" / "lab"


def labs_dir() -> Path:
    """The parent of all labs' state."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "crossmesh" / "labs"


def state_dir(name: str) -> Path:
    """All state of one lab: machines' directories, keys, the mirror's tree, process ids."""
    return labs_dir() / name


# What exists once per computer, whoever's labs they are. Gone after a reboot, like the labs themselves.
RUN_DIR = Path("/run/crossmesh")
