"""Kubernetes objects of a change as they will be written, and what of them is not to be seen yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gate.effects.scene import is_object
from report.model import SECRET, UNKNOWN, Resource
from stacks.errors import KeyPath

_PROVIDER = "pulumi:providers:kubernetes"


@dataclass(frozen=True)
class Object:
    """One object, and the resource that it is the object of."""

    resource: Resource
    cluster: str
    """URN of its cluster's provider."""
    api_version: str
    group: str
    """Empty for the core's."""
    version: str
    kind: str
    content: dict[str, Any]
    """All of it, as plain data."""
    region: str
    """The region that its cluster is in; empty for one of another program."""


def objects(resources: Sequence[Resource]) -> list[Object]:
    """The Kubernetes objects among resources, in their order; releases and other collections are none."""
    found = []
    # Who brings objects of their own says by the provider which cluster they are for.
    regions = {resource.urn: resource.region for resource in resources if resource.type == _PROVIDER}
    for resource in filter(is_object, resources):
        content: Any = resource.inputs
        api_version, kind = content.get("apiVersion"), content.get("kind")
        if isinstance(api_version, str) and isinstance(kind, str):
            group, _, version = api_version.rpartition("/")
            region = resource.region or regions.get(resource.provider, "")
            found.append(
                Object(resource, resource.provider, api_version, group, version, kind, content, region)
            )
    return found


def hidden(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Where values are not known before `up`, or secret: path and which of the two marks is there."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from hidden(entry, (*path, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from hidden(entry, (*path, index))
    elif isinstance(value, str) and value in (UNKNOWN, SECRET):
        yield path, value
