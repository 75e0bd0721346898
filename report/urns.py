"""What a URN and a type say: the components around a resource, and its kind."""

from __future__ import annotations

from typing import Protocol

from report.model import Resource


class Held(Protocol):
    """A resource that knows what holds it."""

    @property
    def parent(self) -> str:
        """URN of its parent."""


def parent_type(resource: Held) -> str:
    """Type of the component that holds a resource; empty for none."""
    return types(resource.parent)[-1] if resource.parent else ""


def parent_name(resource: Held) -> str:
    """Name of the component that holds a resource."""
    return resource.parent.rpartition("::")[2]


def types(urn: str) -> list[str]:
    """The types in a URN, from the outermost component to the resource itself."""
    parts = urn.split("::")
    return parts[2].split("$") if len(parts) > 3 else [""]


def kind(resource: Resource) -> str:
    """The last part of a resource's type: `Deployment`, `HostPhase`."""
    return resource.type.rpartition(":")[2]
