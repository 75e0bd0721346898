"""What a cluster is told of its own nodes."""

from __future__ import annotations

from components.manifests import Manifest, named
from stacks.model import Node


def node(name: str, spec: Node) -> Manifest | None:
    """The part of a node's object that is declared; None where nothing of it is.

    Conditions of the node are taints as well, written by its controller. Ours are forced beside them.
    """
    taints = [taint.model_dump(exclude_none=True) for taint in spec.taints]
    if not spec.labels and not taints:
        return None
    rest: Manifest = {"spec": {"taints": taints}} if taints else {}
    forced = {"pulumi.com/patchForce": "true"}
    return named("v1", "Node", name, labels=spec.labels, annotations=forced, **rest)
