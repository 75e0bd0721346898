"""How far something is and how long it may take: what commands say on standard error while they work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

Say = Callable[[str], None]
"""Hears in words how far something is."""
EVERY_SECONDS = 5.0
"""How often something is said of a stack where lines cannot be overwritten."""
_WIDTH = 110


class Watch:
    """What a work knows of its time, in seconds, and what it says that it waits for right now."""

    def __init__(self, seconds: float, stopped: threading.Event | None = None) -> None:
        """stopped: set by whoever wants it no more."""
        self.seconds = seconds
        self.stopped = stopped or threading.Event()
        self.deadline = time.monotonic() + seconds
        self.waiting_for = "its first answer"

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether nothing new is to be begun."""
        return self.stopped.is_set() or not self.remaining

    def at(self, what: str) -> None:
        """Say what is done now; named in the report if the time runs out meanwhile."""
        self.waiting_for = what


class Progress:
    """One line that changes on a terminal, sparse lines elsewhere. Safe to use from several threads.

    What nobody can hear is not said: a stream that is closed or full stops no work.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._live = stream is not None and stream.isatty()
        self._lock = threading.Lock()
        self._words: dict[str, str] = {}
        self._next: dict[str, float] = {}
        self._began = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._write("\r\x1b[K")

    def say(self, stack: str, words: str) -> None:
        """Say what is done about a stack, or what that waits for."""
        now = time.monotonic()
        with self._lock:
            self._words[stack] = words
            if self._live:
                line = "; ".join(f"{name}: {text}" for name, text in sorted(self._words.items()))
                self._write(f"\r\x1b[K{now - self._began:.0f} s  {line}"[:_WIDTH])
            elif now >= self._next.setdefault(stack, self._began + 2):
                self._next[stack] = now + EVERY_SECONDS
                self._write(f"{stack}: {words} ({now - self._began:.0f} s)\n")

    def _write(self, text: str) -> None:
        with suppress(OSError):
            if self._stream is not None:
                self._stream.write(text)
                self._stream.flush()
