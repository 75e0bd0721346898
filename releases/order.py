"""Order between releases: what must move before what, what is one-way, and what must not run beside what.

`order.toml` has the facts, each with how it was seen. The gate holds changes to them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import releases
from releases import Needs, numbers


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
class Apart:
    """Versions of a program that must not meet in one mesh, each as `Needs` writes them."""

    program: str
    versions: tuple[str, ...]
    others: tuple[str, ...]
    why: str
    """What happens otherwise."""
    together: str
    """What happens when all regions go from the others to these at once."""
    source: str
    """How it was seen."""

    def sides(self, by_region: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The regions that have such versions, and those that have the others."""
        held = (Needs(self.versions, self.source), Needs(self.others, self.source))
        one, other = (
            tuple(region for region, version in by_region.items() if needs.hold(version)) for needs in held
        )
        return one, other


@dataclass(frozen=True)
class Order:
    """All that is known of it."""

    first: tuple[First, ...]
    one_way: tuple[OneWay, ...]
    apart: tuple[Apart, ...]


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
            apart=tuple(
                Apart(**{**entry, "versions": tuple(entry["versions"]), "others": tuple(entry["others"])})
                for entry in known.pop("apart", ())
            ),
            **known,
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{file}: {error}") from error
