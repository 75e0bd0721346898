"""Versions that Crossmesh installs, and which of them go together.

A version is supported when its charts, images and settings are pinned here and a bring-up with it is tested.
"""

from __future__ import annotations

from collections.abc import Mapping

SUPPORTED: Mapping[str, tuple[str, ...]] = {
    "kubernetes": ("1.34.3",),
    "istio": ("1.28.3",),
    "metallb": ("0.15.2",),
}

ISTIO_RUNS_ON: Mapping[str, tuple[str, ...]] = {
    "1.28": ("1.30", "1.31", "1.32", "1.33", "1.34"),
}
"""Minor versions of Kubernetes that each minor version of Istio supports (istio.io, "Supported releases")."""


def minor(version: str) -> str:
    """The minor version: `1.34` of `1.34.3`."""
    return ".".join(version.split(".")[:2])


def runs_on(istio: str, kubernetes: str, table: Mapping[str, tuple[str, ...]] = ISTIO_RUNS_ON) -> bool:
    """Whether that Istio supports that Kubernetes. An Istio that the table does not know supports nothing."""
    return minor(kubernetes) in table.get(minor(istio), ())
