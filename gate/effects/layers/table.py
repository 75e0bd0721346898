"""What every layer's table needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from report.model import UNKNOWN, Row

LATER = "known after up"
"""What stands for a value that the engine cannot know before `up`."""


def rows(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Row, ...]:
    """One row per key of either side, in natural order (`node-2` before `node-10`)."""
    keys = sorted({*before, *after}, key=natural)
    return tuple(Row(key, before.get(key), after.get(key)) for key in keys)


def known(value: Any) -> str:
    """A value as text; `LATER` for one that is not known yet."""
    return LATER if value is None or value == UNKNOWN else str(value)


def listed(values: Iterable[str]) -> str:
    """Values in natural order, each once."""
    return ", ".join(sorted(set(values), key=natural))


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sort key in which numbers inside of a text count as numbers."""
    return [
        (1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", text) if part
    ]
