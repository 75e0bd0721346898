"""What a cluster is told of its own nodes."""

from __future__ import annotations

from components.manifests import Manifest, named
from components.manifests.network import WORKER_LABEL
from stacks.model import Node


def labels(name: str, spec: Node) -> Manifest | None:
    """The labels of a node's object that are declared; None where there are none."""
    own = {**spec.labels, **({WORKER_LABEL: ""} if spec.workload else {})}
    forced = {"pulumi.com/patchForce": "true"}
    return named("v1", "Node", name, labels=own, annotations=forced) if own else None
