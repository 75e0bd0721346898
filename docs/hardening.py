"""The page of hardening points, made from the points themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from live.hardening.model import BENCHMARK, Point, State
from live.hardening.points import POINTS, SECTIONS

_INTRODUCTION = f"""\
# Hardening, point by point

Made by `make docs` from the points in `live/hardening/points`. Numbers are those of the {BENCHMARK},
titles are words of our own; points that begin with H are about hosts, which that benchmark is not. How they
are asked and told: [hardening](../guides/hardening.md).

*Today* is what a platform has that Crossmesh has made, with nothing declared beyond what it needs. A unit
test holds that column to a host as kubeadm and the roles make it.
"""
_OPEN = "as the machine is, or as it is declared"


def render() -> str:
    """The page, as the text of its file."""
    return "\n".join([_INTRODUCTION, _counts(), *_sections()]) + "\n"


def _counts() -> str:
    counts = Counter(point.default for point in POINTS)
    return (
        f"Of {len(POINTS)} points, {counts[State.HOLDS]} hold by themselves, {counts[State.FAILS]} do not, "
        f"{counts[State.NOT_APPLICABLE]} do not apply, and {counts[None]} are up to the machine or to "
        "what is declared.\n"
    )


def _sections() -> Iterator[str]:
    for title, points in SECTIONS.items():
        yield f"## {title}\n"
        yield "| point | what is to hold | wanted | today | who decides | how it comes about, or why not |"
        yield "|---|---|---|---|---|---|"
        yield from _rows(points)
        yield ""


def _rows(points: Sequence[Point[Any]]) -> Iterator[str]:
    for point in points:
        today = _OPEN if point.default is None else str(point.default)
        cells = (point.number, point.title, point.wanted, today, str(point.decided_by), point.today)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
