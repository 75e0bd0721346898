"""What a cluster is told of its own nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.manifests import Manifest, named
from components.manifests.network import WORKER_LABEL
from stacks.model import Node


def node(name: str, spec: Node, taints: Sequence[Mapping[str, Any]]) -> Manifest | None:
    """The part of a node's object that is declared; None where nothing of it is. taints: all of its own.

    Conditions of the node are taints as well, written by its controller. Ours are forced beside them.
    """
    labels = {**spec.labels, **({WORKER_LABEL: ""} if spec.workload else {})}
    if not labels and not taints:
        return None
    rest: Manifest = {"spec": {"taints": list(taints)}} if taints else {}
    forced = {"pulumi.com/patchForce": "true"}
    return named("v1", "Node", name, labels=labels, annotations=forced, **rest)
