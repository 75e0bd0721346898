"""How long an examination may take, and whether it is still wanted."""

from __future__ import annotations

import threading
import time


class Watch:
    """Shared by all layers of one stack."""

    def __init__(self, seconds: float, stopped: threading.Event | None = None) -> None:
        """stopped: set by whoever wants it no more."""
        self.seconds = seconds
        self.stopped = stopped or threading.Event()
        self._deadline = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether nothing new is to be begun."""
        return self.stopped.is_set() or not self.remaining
