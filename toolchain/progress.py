"""Progress on stderr: one refreshed line on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time


def say(message: str) -> None:
    """Print one line of progress."""
    print(f"toolchain: {message}", file=sys.stderr, flush=True)


class Ticker:
    """Reports how a long step goes, at most once per `interval` seconds (1 on a terminal, 15 elsewhere)."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.started = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._interval = 1.0 if self._terminal else 15.0
        self._last = self.started

    @property
    def elapsed(self) -> str:
        """Time since the start, for people: `42 s`, `3 min 05 s`."""
        whole = int(time.monotonic() - self.started)
        return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"

    def update(self, state: str) -> None:
        """Say the state of the step, unless it was said a moment ago."""
        now = time.monotonic()
        if now - self._last < self._interval:
            return
        self._last = now
        line = f"toolchain: {self.title}: {state}, {self.elapsed}"
        if self._terminal:
            print(f"\r\033[K{line[:110]}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def done(self, state: str) -> None:
        """Say how the step ended."""
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr)
        say(f"{self.title}: {state} in {self.elapsed}")
