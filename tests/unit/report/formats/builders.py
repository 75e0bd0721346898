"""Builders of changes, for examinations made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from report.examination import Producer
from report.model import Change, Op, PropertyChange, Resource

STORAGE = "spec.volumeClaimTemplates[0].spec.resources.requests.storage"
STACK_FILE = "stacks/Pulumi.lab.yaml"
VERSIONS = Producer(
    crossmesh="0.1.0",
    pulumi="3.272.0",
    commit="3b58aca0f2a44f0e8f3f2f60b7a1c9d5e6f70819",
    dirty=True,
    base="741f2030c2a44f0e8f3f2f60b7a1c9d5e6f70819",
)


def urn(type: str, name: str, parent: str = "") -> str:
    """A resource's URN in the stack `lab`."""
    return f"urn:pulumi:lab::crossmesh::{f'{parent}$' if parent else ''}{type}::{name}"


def resource(type: str, name: str, inputs: dict[str, Any] | None = None, protect: bool = False) -> Resource:
    """A resource with these inputs."""
    return Resource(urn(type, name), type, name, inputs or {}, protect=protect)


def create(type: str, name: str, inputs: dict[str, Any] | None = None, **more: Any) -> Change:
    """A resource that is made."""
    made = resource(type, name, inputs)
    return Change(Op.CREATE, made.urn, None, made, **more)


def delete(type: str, name: str, inputs: dict[str, Any] | None = None, **more: Any) -> Change:
    """A resource that goes."""
    had = resource(type, name, inputs)
    return Change(Op.DELETE, had.urn, had, None, **more)


def change(op: Op, type: str, name: str, properties: Sequence[PropertyChange], **more: Any) -> Change:
    """A resource of which these properties change."""
    old = resource(type, name, {entry.path: entry.old for entry in properties})
    new = resource(type, name, {entry.path: entry.new for entry in properties})
    return Change(op, old.urn, old, new, tuple(properties), **more)
