"""What a check of a preflight gets, and what it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """What is not as it should be."""

    words: str
    fix: str
    refuses: bool = True


def listed(entries: Iterable[str]) -> str:
    return ", ".join(entries)
