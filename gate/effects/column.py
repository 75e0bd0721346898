"""What a column says of changes: what they mean, its rows of the layers, its part of the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from gate.effects.scene import Scene
from gate.effects.table import Table
from report.model import Blast, Change, ChangeSet, Link, Op, Part, Resource, Risk, Topology

Judged = tuple[Risk, str]
"""A change's risk, and why."""
_HOLDERS = ("region", "cluster")
"""Kinds of parts that hold others, the outermost first."""


class Drawing:
    """What is drawn so far."""

    def __init__(self, changes: ChangeSet) -> None:
        self._changes = {change.urn: change for change in changes.changes}
        self._parts: dict[str, Part] = {}
        self._links: list[Link] = []

    def drawn(self) -> Topology:
        """All of it; holders come before what they hold."""
        rank = {kind: index for index, kind in enumerate(_HOLDERS)}
        parts = sorted(self._parts.values(), key=lambda part: rank.get(part.kind, len(rank)))
        return Topology(tuple(parts), tuple(self._links))

    def add(self, id: str, kind: str, title: str, inside: str, resources: Iterable[Resource]) -> None:
        """A part that stands for resources."""
        op, risk = self._worst(resources)
        self._parts[id] = Part(id, kind, title, inside, op, risk)

    def link(self, source: str, target: str, kind: str, by: Iterable[Resource] | Op) -> None:
        """A link, where both of its ends are drawn. by: the resources that make it, or what happens to it."""
        if source in self._parts and target in self._parts:
            op = by if isinstance(by, Op) else self._worst(by)[0]
            self._links.append(Link(source, target, kind, "", op))

    def _worst(self, resources: Iterable[Resource]) -> tuple[Op, Risk]:
        """What happens to several resources as one: a part that is partly new is changed, not new."""
        urns = [resource.urn for resource in resources]
        changes = [self._changes[urn] for urn in urns if urn in self._changes]
        if not changes:
            return Op.SAME, Risk.ORDINARY
        risk = min((change.risk for change in changes), key=lambda risk: risk.rank)
        ops = {change.op for change in changes}
        if len(ops) > 1 or len(changes) < len(urns):
            return (Op.REPLACE if Op.REPLACE in ops else Op.UPDATE), risk
        return ops.pop(), risk


@dataclass(frozen=True)
class Effect:
    """What changes of one kind of resource mean, in a few words; empty where they mean nothing."""

    loss: str = ""
    """What is lost for good when one is deleted or replaced."""
    traffic: str = ""
    """What requests may notice of an update, replacement or deletion."""
    needed: str = ""
    """What others miss when one is deleted or replaced; an update by itself is not noticed."""
    cuts: bool = False
    """Whether one that is new in a namespace that is not may refuse what was answered before."""
    judge: Callable[[Change, Scene], Judged | None] | None = None
    """Asked first; None leaves it to the words above."""
    blast: Callable[[Change, Scene, Risk], Blast] | None = None
    """How far it reaches, where that is not told by its region."""
    everywhere: bool = False
    """Whether it is on every node."""
    whole: bool = False
    """Whether all machines of its region go with it."""


@dataclass(frozen=True)
class Column:
    """Everything that one capability says of changes."""

    name: str
    kinds: Mapping[str, Effect] = field(default_factory=dict)
    """By `gate.effects.scene.kind_of`."""
    rows: Mapping[str, Callable[[Scene], Table]] = field(default_factory=dict)
    """Rows by the layer's id."""
    draw: Callable[[Scene, Drawing], None] | None = None
