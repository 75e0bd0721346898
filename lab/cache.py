"""Shared caches: one writer at a time, and old entries thrown away."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import progress, trees

# This one, and one of another working copy of the project.
_KEPT = 2


@contextmanager
def one_writer(target: Path) -> Iterator[None]:
    """Hold the lock of the cache entry ``target``: of two labs starting together, one makes it, one waits."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.step(f"waiting for another process that makes {target.name}"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prune(pattern: str, keep: Path) -> None:
    """Delete the oldest entries beside ``keep`` that match ``pattern``, but one that was used last."""
    entries = [path for path in keep.parent.glob(pattern) if path.is_dir() and path != keep]
    for old in sorted(entries, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT - 1 :]:
        trees.remove(old)
        old.with_name(f".{old.name}.lock").unlink(missing_ok=True)
