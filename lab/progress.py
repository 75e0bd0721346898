"""Progress of long steps, on stderr: what is being waited for, and for how long already."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()


def say(message: str) -> None:
    """Print one line of progress."""
    with _lock:
        print(f"lab: {message}", file=sys.stderr, flush=True)


@contextmanager
def step(title: str, *, after: float = 2.0) -> Iterator[None]:
    """Announce ``title`` when the block takes longer than ``after`` seconds, then every ten."""
    started = time.monotonic()
    finished = threading.Event()
    spoken = threading.Event()

    def report() -> None:
        pause = after
        while not finished.wait(pause):
            spoken.set()
            say(f"{title} ... {time.monotonic() - started:.0f} s")
            pause = 10.0

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield
    finally:
        finished.set()
        reporter.join()
    if spoken.is_set():
        say(f"{title}: done in {time.monotonic() - started:.1f} s")
