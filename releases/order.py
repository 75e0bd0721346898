"""Order between releases: what must move before what, and what is one-way.

`order.toml` has the facts, each with how it was seen. The gate holds changes to them.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import releases
from releases import numbers


@dataclass(frozen=True)
class Step:
    """A program reaches a version."""

    program: str
    reaches: str

    def crossed(self, before: str, after: str) -> bool:
        """Whether going from one version to another takes the program there."""
        return numbers(before) < numbers(self.reaches) <= numbers(after)


@dataclass(frozen=True)
class First(Step):
    """It does so only where another program has reached its own version before."""

    other: str
    at_least: str
    why: str
    """What happens otherwise."""
    source: str
    """How it was seen."""

    def met(self, other: str) -> bool:
        """Whether a version of the other program is late enough."""
        return numbers(other) >= numbers(self.at_least)


@dataclass(frozen=True)
class OneWay(Step):
    """There is no simple way back from it."""

    why: str
    back: str
    """What the way back is."""
    source: str
    """How it was seen."""


@dataclass(frozen=True)
class Order:
    """All that is known of it."""

    first: tuple[First, ...]
    one_way: tuple[OneWay, ...]


def order() -> Order:
    """The order between releases of this catalogue."""
    return _read(releases.ROOT)


@cache
def _read(root: Path) -> Order:
    """Raises `ValueError` naming the file when it is malformed."""
    file = root / "order.toml"
    try:
        known = tomllib.loads(file.read_text(encoding="utf-8"))
        return Order(
            first=tuple(First(**entry) for entry in known.pop("first", ())),
            one_way=tuple(OneWay(**entry) for entry in known.pop("one_way", ())),
            **known,
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{file}: {error}") from error
