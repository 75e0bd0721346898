"""Programs of this machine, run to their end."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from access.errors import AccessError, Unanswered


@dataclass(frozen=True)
class Executed:
    """What a command answered: here, in a container or on a host."""

    returncode: int
    stdout: str
    stderr: str


def run(
    command: Sequence[str],
    *,
    what: str,
    timeout: float,
    stdin: str = "",
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Executed:
    """Run a program; one that fails has answered as well.

    what: it is called in messages. timeout: seconds. environment: instead of this process's. Raises
    `Unanswered` when the time is over, `AccessError` if it cannot be started.
    """
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unanswered(f"{what} did not end within {timeout:.3g} s") from error
    except OSError as error:
        raise AccessError(f"{what} cannot be started: {error.strerror}") from error
    return Executed(done.returncode, done.stdout, done.stderr)


def process_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on; None when the process is gone."""
    try:
        # The name before them may hold anything, so they are counted from its closing parenthesis.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
