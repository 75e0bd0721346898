"""What a gate is at, on standard error: one line that changes on a terminal, sparse lines elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TextIO

EVERY_SECONDS = 5.0
"""How often something is said of a stack where lines cannot be overwritten."""
_WIDTH = 110


class Progress:
    """Safe to use from several threads, one per stack."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._lock = threading.Lock()
        self._words: dict[str, str] = {}
        self._next: dict[str, float] = {}
        self._began = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def say(self, stack: str, words: str) -> None:
        """Say what a stack's gate does, or what it waits for."""
        now = time.monotonic()
        with self._lock:
            self._words[stack] = words
            if self._live:
                line = "; ".join(f"{name}: {text}" for name, text in sorted(self._words.items()))
                self._stream.write(f"\r\x1b[K{now - self._began:.0f} s  {line}"[:_WIDTH])
                self._stream.flush()
            elif now >= self._next.setdefault(stack, self._began + 2):
                self._next[stack] = now + EVERY_SECONDS
                print(f"{stack}: {words} ({now - self._began:.0f} s)", file=self._stream, flush=True)
