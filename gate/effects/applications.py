"""Applications: their pods, what these keep, and the services in front of them."""

from __future__ import annotations

from components.manifests.mesh import ASKED_ADDRESS
from components.values.exposure import LOAD_BALANCER, external_addresses
from gate.effects.column import Column, Drawing, Effect, Judged
from gate.effects.scene import Scene, application_of, below, metadata
from report.model import Change, Op, Resource, Risk


def _takes_its_address_away(change: Change, scene: Scene) -> Judged | None:
    """Whether a service with addresses of its own goes, or has one of them no more."""
    has = frozenset() if change.op is Op.REPLACE else _asked(change.new)
    if not _asked(change.old) - has:
        return None
    return Risk.DESTRUCTIVE, "the address that clients know is taken away"


def _asked(service: Resource | None) -> frozenset[str]:
    """The addresses at which a service asks to be reached from outside."""
    if service is None:
        return frozenset()
    spec = below(service.inputs, "spec")
    asked = external_addresses(spec)
    if spec.get("type") == LOAD_BALANCER:
        asked = [*asked, below(metadata(service), "annotations").get(ASKED_ADDRESS)]
    return frozenset(str(address) for address in asked if address)


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
