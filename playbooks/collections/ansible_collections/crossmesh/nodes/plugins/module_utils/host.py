"""What modules do on the host: run commands, write files whole or not at all, and wait until all is well."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def run(*command: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command and keep what it says, whether or not it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def write(path: Path, content: str, mode: int) -> None:
    """Replace the file in one step, and make its directory. It is never readable with another mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        stream.write(content)
        stream.flush()
        # The mode that it was opened with is cut by the umask.
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    partial.replace(path)


def numbers(version: str) -> tuple[int, ...]:
    """A version as what it is compared by; of `v1.35.3` and `3.6.8-0` too."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def wait_until_well(
    complaints: Callable[[], list[str]], *, timeout: float, settle: float, poll: float
) -> list[str]:
    """Wait until nothing is complained of for `settle` seconds without a break.

    poll: seconds from one look to the next. Returns what is complained of still, when `timeout` seconds are
    over, or nothing.
    """
    deadline = time.monotonic() + timeout
    well_since: float | None = None
    while True:
        words = complaints()
        now = time.monotonic()
        if words:
            well_since = None
            if now > deadline:
                return words
        else:
            well_since = now if well_since is None else well_since
            if now - well_since >= settle:
                return []
        time.sleep(min(poll, settle))
