"""What happens when the user or the pipeline interrupts."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts(handle: Callable[[], None]) -> Iterator[None]:
    """Call `handle` at each interrupt (SIGINT, SIGTERM), in the main thread, until the block ends."""
    before = {
        number: signal.signal(number, lambda *_: handle()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
