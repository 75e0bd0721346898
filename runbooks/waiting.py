"""Waiting for what a step has set going, with words for what it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable

from access.errors import Unanswered

SECONDS = 360.0
"""For parts of a control plane to end, or to serve: kubelet gives one 30 s to end, and waits for up to 300 s
before it starts again what has failed (`MaxContainerBackOff`)."""
POLL = 1.0


def until(lacking: Callable[[], str], what: str, tell: Callable[[str], None]) -> None:
    """Return once nothing is lacking. what: is waited for, in words; lacking: what it still lacks.

    Raises `Unanswered` after `SECONDS`, with what is lacking then.
    """
    deadline, said = time.monotonic() + SECONDS, ""
    while words := lacking():
        if time.monotonic() > deadline:
            raise Unanswered(f"waited {SECONDS:.0f} s for {what}: {words}")
        if words != said:
            tell(f"waiting for {what}: {words}")
            said = words
        time.sleep(POLL)
