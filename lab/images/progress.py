"""Progress of long steps, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say ``what`` is being waited for, and how many seconds it took once it is done."""
    print(f"images: {what} …", file=sys.stderr, flush=True)
    start = time.monotonic()
    yield
    print(f"images: {what}: done in {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
