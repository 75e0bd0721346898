"""Applications: their pods, what these keep, and the services in front of them."""

from __future__ import annotations

from typing import Any

from components.manifests.mesh import ASKED_ADDRESS
from gate.effects.column import Column, Drawing, Effect, Judged
from gate.effects.scene import Scene, application_of, below, metadata
from report.model import Change, Op, Resource, Risk


def _takes_its_address_away(change: Change, scene: Scene) -> Judged | None:
    """Whether a service with an address of its own goes, or has it no more, or another one."""
    had = _asked(change.old)
    if had is None or (change.op is not Op.REPLACE and _asked(change.new) == had):
        return None
    return Risk.DESTRUCTIVE, "the address that clients know is taken away"


def _asked(service: Resource | None) -> Any:
    """The address that a service asks for from outside; None for none."""
    if service is None or below(service.inputs, "spec").get("type") != "LoadBalancer":
        return None
    return below(metadata(service), "annotations").get(ASKED_ADDRESS)


def _draw(scene: Scene, drawing: Drawing) -> None:
    objects = {entry.urn: entry for side in scene.sides for entry in side.resources if application_of(entry)}
    parts: dict[tuple[str, str, str], list[Resource]] = {}
    for entry in objects.values():
        if (region := entry.region) and (application := application_of(entry)):
            parts.setdefault((region, *application), []).append(entry)
    for (region, namespace, name), entries in sorted(parts.items()):
        drawing.add(f"service:{region}/{namespace}/{name}", "service", name, f"cluster:{region}", entries)


COLUMN = Column(
    name="applications",
    kinds={
        "DaemonSet": Effect(traffic="its pods start anew, node by node", everywhere=True),
        "Deployment": Effect(traffic="its pods start anew"),
        "EndpointSlice": Effect(needed="where a service leads changes"),
        "Job": Effect(loss="it runs again"),
        "PersistentVolumeClaim": Effect(loss="its data goes with it"),
        "Service": Effect(traffic="how its pods are reached changes", judge=_takes_its_address_away),
        "StatefulSet": Effect(loss="its pods go, and what only they know"),
    },
    draw=_draw,
)
