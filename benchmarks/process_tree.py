"""How long a program takes, and how much memory it holds with all that it starts."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

INTERVAL = 0.25
"""Least seconds between two looks at the memory."""

_PAUSE = 20
"""A pause is at least so many times as long as the look before it took: looking takes time from what is
measured, the more the larger that is."""

_PR_SET_CHILD_SUBREAPER = 36
_ORPHANS_END = 10.0
"""Seconds in which what a program left behind must end."""


@dataclass(frozen=True)
class Usage:
    """What one run of a program took."""

    code: int
    """Exit code."""
    seconds: float
    """Wall time."""
    processor_seconds: float
    """Processor time of the program and of everything that it started."""
    peak_bytes: int
    """The most that all its processes held at once; memory that several share is counted once (PSS)."""
    peak_by_program: Mapping[str, int] = field(default_factory=dict)
    """What each program among them held at that time, in bytes."""
    output: str = field(default="", repr=False)
    """What it wrote to standard error."""


def run(
    arguments: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    stdout: Path,
    timeout: float = 1800,
) -> Usage:
    """Run a program to its end. stdout: where its standard output goes. `timeout` is in seconds.

    Returns when everything that it started has ended as well. Raises `subprocess.TimeoutExpired`; all of them
    are killed then.
    """
    _adopt_orphans()
    own = set(_children().get(os.getpid(), ()))
    samples: list[dict[str, int]] = []
    ended = threading.Event()
    before = _processor_seconds()
    with stdout.open("wb") as out, tempfile.TemporaryFile("w+") as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            arguments,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
        )
        watcher = threading.Thread(target=_watch, args=(process.pid, samples, ended), daemon=True)
        watcher.start()
        try:
            process.wait(timeout)
            seconds = time.monotonic() - began
        except BaseException:
            _kill(process.pid)
            process.wait()
            raise
        finally:
            ended.set()
            watcher.join()
            _reap(own)
        errors.seek(0)
        words = errors.read()
    peak = max(samples, key=lambda sample: sum(sample.values()), default={})
    return Usage(
        code=process.returncode,
        seconds=seconds,
        processor_seconds=_processor_seconds() - before,
        peak_bytes=sum(peak.values()),
        peak_by_program=dict(sorted(peak.items())),
        output=words,
    )


def _adopt_orphans() -> None:
    """Become the parent of processes whose own parent ends: what they took counts when they are reaped."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill(root: int) -> None:
    for process in _tree(root):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _reap(own: set[int]) -> None:
    """Wait for the adopted processes, all children but `own`."""
    deadline = time.monotonic() + _ORPHANS_END
    while orphans := set(_children().get(os.getpid(), ())) - own:
        for process in orphans:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes that the program left behind do not end: {sorted(orphans)}")
        time.sleep(0.01)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(pid: int, samples: list[dict[str, int]], ended: threading.Event) -> None:
    pause = 0.0
    while not ended.wait(pause):
        began = time.thread_time()
        sample: dict[str, int] = {}
        for process in _tree(pid):
            with contextlib.suppress(OSError, ValueError):
                name, held = _name(process), _proportional_set_size(process)
                sample[name] = sample.get(name, 0) + held
        samples.append(sample)
        pause = max(INTERVAL, _PAUSE * (time.thread_time() - began))


def _tree(root: int) -> list[int]:
    """The process and all its descendants."""
    children = _children()
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children.get(process, [])
    return found


def _children() -> dict[int, list[int]]:
    """Children of each process of this machine."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                found.setdefault(parent, []).append(int(entry.name))
    return found


def _proportional_set_size(process: int) -> int:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _name(process: int) -> str:
    """The program's file name; of an interpreter the script's or module's name as well."""
    words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
    program = Path(words[0]).name
    if not program.startswith("python"):
        return program
    rest = [word for word in words[1:] if word and not word.startswith("-")]
    return f"python {Path(rest[0]).name}" if rest else program
