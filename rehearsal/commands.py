"""Commands of the project and of the lab, run to their end in the twin's own surroundings."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal.errors import RehearsalError
from report.progress import Say

_SHOWN = 2000
"""Characters of a failed command's last words that are told."""
_KILL_AFTER = 60.0
"""Seconds that a command has to end after it was told to."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def words(self) -> str:
        """The end of what it said."""
        return (self.stderr.strip() or self.stdout.strip())[-_SHOWN:]


@dataclass(frozen=True)
class Surroundings:
    """Where commands run."""

    directory: Path
    """A copy of the project."""
    environment: Mapping[str, str]
    say: Say
    """Hears each line that a command says of its work."""

    def python(self, *arguments: str, timeout: float, check: bool = True, stdin: str = "") -> Ended:
        """`python -m ARGUMENTS`. Raises as `run` does."""
        return self.run([sys.executable, "-m", *arguments], timeout=timeout, check=check, stdin=stdin)

    def run(self, command: Sequence[str], *, timeout: float, check: bool = True, stdin: str = "") -> Ended:
        """Run a command. timeout: seconds. Raises `RehearsalError` when it does not end within them and,
        when `check` is set, when it fails.
        """
        began = time.monotonic()
        shown = " ".join(Path(part).name if index == 0 else part for index, part in enumerate(command))
        errors: list[str] = []
        with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as out:
            given.write(stdin)
            given.seek(0)
            with subprocess.Popen(
                command,
                cwd=self.directory,
                env=dict(self.environment),
                stdin=given,
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                # The terminal's interrupt reaches this process, which ends the command in its order.
                start_new_session=True,
            ) as process:
                late = threading.Timer(timeout, process.terminate)
                late.start()
                try:
                    assert process.stderr is not None
                    for line in process.stderr:
                        errors.append(line)
                        if line.strip():
                            self.say(line.strip())
                    code = process.wait()
                except BaseException:
                    _end(process)
                    raise
                finally:
                    late.cancel()
            out.seek(0)
            ended = Ended(code, out.read(), "".join(errors), time.monotonic() - began)
        if ended.seconds >= timeout and code:
            raise RehearsalError(f"`{shown}` did not end within {timeout:.0f} s: {ended.words}")
        if check and code:
            raise RehearsalError(f"`{shown}` failed (exit code {code}):\n{ended.words}")
        return ended


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_KILL_AFTER)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
