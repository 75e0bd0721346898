"""Objects: what each part of the platform consists of in each cluster, charts included."""

from __future__ import annotations

from gate.effects.layers.table import listed, rows
from report.model import Change, ChangeSet, Layer, Op, Resource
from report.urns import kind, parent_type

_PREFIX = "kubernetes:"
_SHOWN = 6
_WORDS = {Op.CREATE: "new", Op.UPDATE: "changed", Op.REPLACE: "replaced", Op.DELETE: "goes"}


def objects(changes: ChangeSet) -> Layer:
    """One row per cluster and part: how many objects, and which of them do not stay as they are."""

    def counted(resources: tuple[Resource, ...]) -> dict[str, int]:
        found: dict[str, int] = {}
        for resource in resources:
            if is_object(resource):
                key = _key(resource)
                found[key] = found.get(key, 0) + 1
        return found

    changed: dict[str, list[Change]] = {}
    for change in changes.changes:
        if is_object(change.resource):
            changed.setdefault(_key(change.resource), []).append(change)
    before = {key: _objects(number) for key, number in counted(changes.before).items()}
    after = {
        key: _objects(number) + _told(changed.get(key, ())) for key, number in counted(changes.after).items()
    }
    return Layer("objects", "Objects in clusters, by part", rows(before, after))


def is_object(resource: Resource) -> bool:
    """Whether a resource is an object in a cluster."""
    return resource.type.startswith(_PREFIX)


def _key(resource: Resource) -> str:
    part = parent_type(resource).rpartition(":")[2] or "other"
    # What is declared by name is a part of its own; other components are there once in each cluster.
    own = f" {resource.declared[1]}" if len(resource.declared) == 2 else ""
    return f"{resource.region or 'all clusters'}: {part}{own}"


def _objects(number: int) -> str:
    return f"{number} object{'' if number == 1 else 's'}"


def _told(changes: list[Change] | tuple[()]) -> str:
    parts = []
    for op, word in _WORDS.items():
        found = [change for change in changes if change.op is op]
        if not found:
            continue
        if len(found) > _SHOWN:
            parts.append(f"{len(found)} {word}")
        else:
            parts.append(f"{word}: {listed(_name(change.resource) for change in found)}")
    return f"; {'; '.join(parts)}" if parts else ""


def _name(resource: Resource) -> str:
    metadata = resource.inputs.get("metadata") or {}
    names = [str(metadata[key]) for key in ("namespace", "name") if metadata.get(key)]
    return f"{kind(resource)} {'/'.join(names) or resource.name}"
