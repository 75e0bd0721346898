"""Progress of checks on stderr: a line that changes on a terminal, sparse lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

from live.doctor.model import Check, Result, Status, Watch

EVERY_SECONDS = 5.0
"""How often something is said where lines cannot be overwritten."""

_WIDTH = 110


class Progress:
    """Says how many checks have ended and what the longest-running one waits for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._ended = 0
        self._bad = 0
        self._next = time.monotonic() + EVERY_SECONDS

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def ended(self, result: Result) -> None:
        """Count a result."""
        self._ended += 1
        self._bad += result.finding.status is not Status.OK

    def waiting(self, running: Sequence[tuple[Check, Watch]]) -> None:
        """Say what is waited for."""
        if not running:
            return
        check, watch = running[0]
        bad = f", {self._bad} not ok" if self._bad else ""
        words = f"{self._ended} checks ended{bad}; {check.id} waits for {watch.waiting_for}"
        if self._live:
            self._stream.write(f"\r\x1b[K{words[:_WIDTH]}")
            self._stream.flush()
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_SECONDS
            print(words, file=self._stream, flush=True)
