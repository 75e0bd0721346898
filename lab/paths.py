"""Where the lab keeps things: caches shared by all labs, and one directory of state per lab."""

from __future__ import annotations

from pathlib import Path

from toolchain import store

# What exists once per computer, whoever's labs they are. Gone after a reboot, like the labs themselves.
RUN_DIR = Path("/run/crossmesh")


def cache_dir() -> Path:
    """What is costly to make and the same for every lab: root file systems, packages, images, a key."""
    return store.cache_dir() / "lab"


def labs_dir() -> Path:
    """The parent of all labs' state."""
    return store.state_dir() / "labs"


def state_dir(name: str) -> Path:
    """All state of one lab: machines' directories, keys, the mirror's tree, process ids."""
    return labs_dir() / name
