"""Rows of the layers' tables, and how values are written in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from report.model import UNKNOWN, Row
from report.urns import natural

LATER = "known after up"
"""What stands for a value that the engine cannot know before `up`."""


@dataclass(frozen=True)
class Table:
    """Rows of a layer: texts by key, on both sides."""

    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    not_measurable: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """One row per key of either side, in natural order (`node-2` before `node-10`)."""
        keys = sorted({*self.before, *self.after}, key=natural)
        return tuple(Row(key, self.before.get(key), self.after.get(key)) for key in keys)

    def __or__(self, other: Table) -> Table:
        """The rows of both."""
        return Table(
            {**self.before, **other.before},
            {**self.after, **other.after},
            (*self.not_measurable, *other.not_measurable),
        )


def shown(value: Any) -> str:
    """A value as text; `LATER` for one that is not known yet."""
    return LATER if value is None or value == UNKNOWN else str(value)


def listed(values: Iterable[str]) -> str:
    """Values in natural order, each once."""
    return ", ".join(sorted(set(values), key=natural))
