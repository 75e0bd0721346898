"""Pinned programs that Crossmesh and its lab run, and where they are.

    >>> toolchain.program("kubelet")
    PosixPath('…/toolchain/kubelet-1.34.3/kubelet')
    >>> toolchain.version("kubernetes")
    '1.34.3'
    >>> toolchain.data("istio-charts")
    PosixPath('…/toolchain/istio-charts-1.28.3/istio-charts')

Needs only the standard library. `python -m toolchain install` brings what is missing.
"""

from __future__ import annotations

from pathlib import Path

from toolchain import host_plugin, manifest, store
from toolchain.errors import ToolchainError

__all__ = ["ToolchainError", "data", "program", "version"]


def version(name: str) -> str:
    """The pinned version of a product (`istio`, …), without `v`. Raises ToolchainError for an unknown one."""
    versions = manifest.manifest().versions
    if name not in versions:
        raise ToolchainError(f"no version is pinned for {name}; known are {', '.join(sorted(versions))}")
    return versions[name]


def program(name: str) -> Path:
    """Path of an installed program. Raises ToolchainError for one that is unknown or not installed."""
    pinned = manifest.manifest()
    if name == host_plugin.NAME:
        path = host_plugin.path(pinned)
        if path is None:
            raise ToolchainError(f"{name} is not installed. Run `make toolchain`.")
        return path
    if name not in pinned.programs:
        raise ToolchainError(f"there is no program {name}; known are {', '.join(sorted(pinned.programs))}")
    return _installed(name, pinned.programs[name].version)


def data(name: str, version: str | None = None) -> Path:
    """Path of installed data, of the default release or of another of the catalogue's.

    Raises ToolchainError as `program` does, and for a version that no release has.
    """
    pinned, further = manifest.manifest().data, manifest.manifest().further
    if name not in pinned:
        raise ToolchainError(f"there is no data set {name}; known are {', '.join(sorted(pinned))}")
    if version in (None, pinned[name].version):
        return _installed(name, pinned[name].version)
    if f"{name}-{version}" not in further:
        there = ", ".join(
            sorted({pinned[name].version, *(one.version for one in further.values() if one.name == name)})
        )
        raise ToolchainError(f"there is no {name} {version}; known are {there}")
    return _installed(name, str(version), f"python -m toolchain install {name}-{version}")


def _installed(name: str, version: str, how: str = "make toolchain") -> Path:
    path = store.entry_dir(name, version) / name
    if not path.exists():
        raise ToolchainError(f"{name} {version} is not installed. Run `{how}`.")
    return path
