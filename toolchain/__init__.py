"""Pinned programs that Crossmesh and its lab run, and where they are.

    >>> toolchain.program("kubelet")
    PosixPath('…/toolchain/kubelet-1.35.3/kubelet')
    >>> toolchain.version("kubernetes")
    '1.35.3'
    >>> toolchain.data("istio-charts")
    PosixPath('…/toolchain/istio-charts-1.29.1/istio-charts')

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


def program(name: str, version: str | None = None) -> Path:
    """Path of an installed program, of the default release or of another of the catalogue's.

    Raises ToolchainError for one that is unknown, in this version or at all, or not installed.
    """
    if name == host_plugin.NAME:
        path = host_plugin.path(manifest.manifest())
        if path is None:
            raise ToolchainError(f"{name} is not installed. Run `make toolchain`.")
        return path
    return _installed(name, version)


def data(name: str, version: str | None = None) -> Path:
    """Path of installed data, of the default release or another. Raises ToolchainError as `program` does."""
    return _installed(name, version)


def _installed(name: str, version: str | None) -> Path:
    pinned = manifest.manifest()
    entry = pinned.entry(name, version)
    path = store.entry_dir(name, entry.version) / name
    if not path.exists():
        is_default = pinned.entries.get(name) == entry
        how = "make toolchain" if is_default else f"python -m toolchain install {name}-{entry.version}"
        raise ToolchainError(f"{name} {entry.version} is not installed. Run `{how}`.")
    return path
