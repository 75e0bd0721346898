"""Pure builders of Kubernetes objects and chart values: plain dictionaries, the same for the same arguments.

Nothing here knows Pulumi. A value that is known late (a certificate, a token) is passed through as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]

MANAGED_BY = {"app.kubernetes.io/managed-by": "crossmesh"}


def named(api_version: str, kind: str, name: str, namespace: str | None = None, **rest: Any) -> Manifest:
    """An object with the label that says who manages it; of `rest`, labels and annotations are metadata."""
    metadata: Manifest = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    metadata["labels"] = dict(sorted({**MANAGED_BY, **rest.pop("labels", {})}.items()))
    if annotations := rest.pop("annotations", None):
        metadata["annotations"] = dict(sorted(annotations.items()))
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **dict(sorted(rest.items()))}


def spread(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Put pods with these labels on different nodes where that is possible."""
    return [
        {
            "labelSelector": {"matchLabels": dict(labels)},
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
        }
    ]
