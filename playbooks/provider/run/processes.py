"""Processes of this machine that a run started: found whatever they do, and ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Collection
from pathlib import Path

from access.programs import process_fields

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent ends, so that `descendants` finds them."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def start_time(pid: int) -> str | None:
    """When the process started, in the kernel's ticks: unique with the pid. None when there is none."""
    fields = process_fields(pid)
    return fields[19] if fields else None


def descendants(pid: int) -> set[int]:
    """Return all processes below `pid`."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := process_fields(int(entry.name))) and fields[0] != "Z":
            parents[int(entry.name)] = int(fields[1])
    below: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in below | {pid}} - below:
        below |= more
    return below


def kill_descendants(spare: Collection[int] = ()) -> None:
    """Kill all processes below this one, but for `spare` and what is below those, until there are none."""
    for _ in range(20):
        spared = {*spare}.union(*(descendants(pid) for pid in spare))
        alive = descendants(os.getpid()) - spared
        if not alive:
            return
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
