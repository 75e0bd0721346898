"""What a column says of changes: what they mean, its rows of the layers, its part of the picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gate.effects.drawing import Drawing
from gate.effects.scene import Scene
from gate.effects.table import Table
from report.model import Blast, Change, Risk

Judged = tuple[Risk, str]
"""A change's risk, and why."""


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
