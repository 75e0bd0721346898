"""What a URN and a type say: the components around a resource, and its kind; the order of keys."""

from __future__ import annotations

import re

from report.model import Identity, Resource


def parent_type(resource: Identity) -> str:
    """Type of the component that holds a resource; empty for none."""
    return types(resource.parent)[-1] if resource.parent else ""


def types(urn: str) -> list[str]:
    """The types in a URN, from the outermost component to the resource itself."""
    parts = urn.split("::")
    return parts[2].split("$") if len(parts) > 3 else [""]


def kind(resource: Resource) -> str:
    """The last part of a resource's type: `Deployment`, `HostPhase`."""
    return resource.type.rpartition(":")[2]


def short_name(urn: str) -> str:
    """`kubernetes:apps/v1:Deployment::web` of a URN."""
    parts = urn.split("::", 3)
    return f"{parts[2].rpartition('$')[2]}::{parts[3]}" if len(parts) == 4 else urn


def names_of(urn: str) -> tuple[str, str, str]:
    """How a resource may be named: URN, `TYPE::NAME` and name; all empty for what is no resource."""
    return urn, short_name(urn), urn.split("::", 3)[-1]


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sort key in which numbers inside of a text count as numbers."""
    return [
        (1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", text) if part
    ]
