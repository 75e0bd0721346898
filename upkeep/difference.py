"""What differs between the objects of two releases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from components.manifests import Manifest

_DEFINITION = "CustomResourceDefinition"


@dataclass(frozen=True)
class Change:
    """One value that differs. None stands for "not there"."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Definition:
    """What differs of a definition that both have."""

    name: str
    versions: tuple[Change, ...]
    """By version: whether it is served, stored, deprecated."""
    came: tuple[str, ...]
    """Fields by their version and path: `v1 spec.tls`."""
    went: tuple[str, ...]
    changed: tuple[Change, ...]
    """What else: names, scope, conversion."""


@dataclass(frozen=True)
class Objects:
    """What differs between two sets of objects. Objects are named `Kind namespace/name`."""

    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    api_versions: tuple[Change, ...] = ()
    definitions: tuple[Definition, ...] = ()
    changed: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)


def objects(before: Iterable[Manifest], after: Iterable[Manifest]) -> Objects:
    """Compare two sets of objects. That each says its release's version is no difference: see `without`."""
    old, new = ({named(manifest): manifest for manifest in side} for side in (before, after))
    both = sorted(old.keys() & new.keys())
    definitions, changed = [], {}
    for key in both:
        if old[key]["kind"] == _DEFINITION:
            definitions.append(_definition(old[key], new[key]))
        elif found := tuple(changes(old[key], new[key], apart=("apiVersion",))):
            changed[key] = found
    return Objects(
        came=tuple(sorted(new.keys() - old.keys())),
        went=tuple(sorted(old.keys() - new.keys())),
        api_versions=tuple(
            Change(key, old[key]["apiVersion"], new[key]["apiVersion"])
            for key in both
            if old[key]["apiVersion"] != new[key]["apiVersion"]
        ),
        definitions=tuple(one for one in definitions if one.versions or one.came or one.went or one.changed),
        changed=changed,
    )


def named(manifest: Manifest) -> str:
    """What an object is called here."""
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {'/'.join(filter(None, (metadata.get('namespace'), metadata['name'])))}"


def without(version: str, value: Any) -> Any:
    """A value in which a release's own version stands nowhere: labels and images have it, and say no more."""
    if isinstance(value, dict):
        return {key: without(version, one) for key, one in value.items()}
    if isinstance(value, list):
        return [without(version, one) for one in value]
    return (
        re.sub(rf"(?<![\d.]){re.escape(version)}(?![\d.])", "VERSION", value)
        if isinstance(value, str)
        else value
    )


def changes(before: Any, after: Any, path: str = "", apart: tuple[str, ...] = ()) -> Iterator[Change]:
    """The values that differ, each by its path. In which order a list has its entries is no difference.

    Entries of a list are told from each other by their `name`, as Kubernetes does. Of those that have none,
    two that have most in common are taken for one that changed.
    """
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            if key not in apart:
                below = f"{path}.{key}" if path else key
                yield from changes(before.get(key), after.get(key), below)
    elif isinstance(before, list) and isinstance(after, list):
        old, new = _by_name(before), _by_name(after)
        if old is None or new is None:
            yield from _nameless(before, after, f"{path}[]")
            return
        for key in [*old, *(key for key in new if key not in old)]:
            yield from changes(old.get(key), new.get(key), f"{path}[{key}]")
    else:
        yield Change(path, before, after)


def _by_name(values: list[Any]) -> dict[str, Any] | None:
    """Entries of a list by their names; None where one has none, or another's."""
    found = {value["name"]: value for value in values if isinstance(value, Mapping) and "name" in value}
    return found if len(found) == len(values) else None


def _nameless(before: list[Any], after: list[Any], path: str) -> Iterator[Change]:
    came = [value for value in after if value not in before]
    for value in before:
        if value in after:
            continue
        twin = max(
            (other for other in came if _alike(value, other)), key=partial(_alike, value), default=None
        )
        if twin is not None:
            came.remove(twin)
        yield from changes(value, twin, path)
    yield from (Change(path, None, value) for value in came)


def _alike(value: Any, other: Any) -> int:
    """How many values two entries have in common; 0 where these are less than half."""
    if not (isinstance(value, Mapping) and isinstance(other, Mapping)):
        return 0
    common = sum(key in other and other[key] == one for key, one in value.items())
    return common if 2 * common >= len(value) else 0


def _definition(before: Manifest, after: Manifest) -> Definition:
    old, new = ({one["name"]: one for one in side["spec"]["versions"]} for side in (before, after))
    versions = [
        Change(name, _state(old.get(name)), _state(new.get(name)))
        for name in [*old, *(name for name in new if name not in old)]
        if _state(old.get(name)) != _state(new.get(name))
    ]
    fields = [
        {f"{name} {path}" for name in old.keys() & new.keys() for path in _fields(side[name])}
        for side in (old, new)
    ]
    came, went = sorted(fields[1] - fields[0]), sorted(fields[0] - fields[1])
    changed = tuple(changes(before["spec"], after["spec"], "spec", apart=("versions",)))
    return Definition(after["metadata"]["name"], tuple(versions), _topmost(came), _topmost(went), changed)


def _state(version: Mapping[str, Any] | None) -> str | None:
    """How a version of a definition is offered, in words."""
    if version is None:
        return None
    words = [word for word, key in (("served", "served"), ("stored", "storage")) if version.get(key)]
    return ", ".join([*words, *(["deprecated"] if version.get("deprecated") else [])]) or "not served"


def _fields(version: Mapping[str, Any]) -> Iterator[str]:
    yield from _properties((version.get("schema") or {}).get("openAPIV3Schema") or {}, "")


def _properties(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, below in (schema.get("properties") or {}).items():
        here = f"{path}.{name}" if path else name
        yield here
        yield from _properties(below, here)
    for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(schema.get(key), Mapping):
            yield from _properties(schema[key], f"{path}{mark}")


def _topmost(fields: list[str]) -> tuple[str, ...]:
    """Fields of which none lies in another one: what came with its parent is not said again."""
    kept: list[str] = []
    for one in fields:
        if not any(one.startswith((f"{above}.", f"{above}[]")) for above in kept):
            kept.append(one)
    return tuple(kept)
