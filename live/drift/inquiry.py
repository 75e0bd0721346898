"""What every column of a drift examination is asked about, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from live.drift.access import Clusters
from live.drift.mask import Mask
from live.state import State
from report.progress import Watch
from stacks.load import Stack

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Inquiry:
    """What was applied, what is declared, and the ways to what is live."""

    state: State
    stack: Stack
    clusters: Clusters
    watch: Watch
    """Of one layer: it hears what that looks at."""
    mask: Mask
    """Over values, before they are shortened: a part of a secret is one as well."""
    now: datetime
    """What ends is judged by it."""


def each(things: Iterable[Thing], look: Callable[[Thing], None], parallel: int = 8) -> None:
    """Look at several things side by side."""
    with ThreadPoolExecutor(parallel) as pool:
        for done in [pool.submit(look, thing) for thing in things]:
            done.result()
