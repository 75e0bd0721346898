"""The engine as a process: `pulumi` run to its end, or followed by its events."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from access import programs, refusals
from access.errors import AccessError, Unanswered
from access.paths import project_root
from access.programs import Executed
from report.errors import ConfigurationError, DeadlineError, PulumiError

_ENVIRONMENT_HINT = 'Activate the project\'s environment first: eval "$(make -s env)".'

Event = Mapping[str, Any]
"""What the engine says of its work, as JSON."""

_KILL_AFTER = 10.0
"""Seconds that the engine has to end after it was interrupted."""
_allowed = math.inf
"""Seconds for any call that is waited for, as `within` says."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """No call of `pulumi` takes longer than that until the block ends, whatever it would be given itself."""
    global _allowed
    before, _allowed = _allowed, min(_allowed, seconds)
    try:
        yield
    finally:
        _allowed = before


def environment(directory: Path) -> dict[str, str]:
    """This process's environment, with what the engine needs to run the program in `directory`."""
    return {
        **os.environ,
        "PYTHONPATH": str(directory),
        # Where TMPDIR leads nowhere, Python takes another place; the engine's plugins would break off.
        "TMPDIR": tempfile.gettempdir(),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
    }


def pulumi(
    *arguments: str,
    stdin: str = "",
    timeout: float = 60,
    check: bool = True,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Executed:
    """Run `pulumi ARGUMENTS` in `directory` (the project's by default), never interactively.

    `timeout` is in seconds, `environment` instead of this process's. Secrets go in by `stdin`, never by
    `arguments`. When `check` is set and it fails, raises what its words stand for (`refusals.known`), else
    `PulumiError`; `DeadlineError` when the time is over, `ConfigurationError` when there is no `pulumi`
    on PATH.
    """
    shown = "pulumi " + " ".join(arguments)
    try:
        done = programs.run(
            _command(arguments, os.environ if environment is None else environment),
            what=f"`{shown}`",
            timeout=min(timeout, _allowed),
            stdin=stdin,
            directory=directory or project_root(),
            environment=environment,
        )
    except Unanswered as error:
        raise DeadlineError(f"{error.message}.") from error
    except AccessError as error:
        raise PulumiError(f"{error.message}.") from error
    if check and done.returncode != 0:
        words = (done.stderr or done.stdout).strip()
        message = f"`{shown}` failed (exit code {done.returncode}):\n{words}"
        raise refusals.known(words, message) or PulumiError(message)
    return done


class Stream:
    """The engine at work, started by `stream`."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str]) -> None:
        """errors: the file that the engine writes its standard error to."""
        self._process = process
        self._errors = errors
        self._others: list[str] = []
        self._sweeper = threading.Thread(target=self._sweep, daemon=True)
        self._sweeper.start()

    def events(self) -> Iterator[Event]:
        """Each event as it comes, until the engine has ended; what else it writes is among its words."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event: Any = None
            if line.startswith("{"):
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
            if isinstance(event, dict):
                yield event
            else:
                self._others.append(line)
        self._sweeper.join()

    @property
    def returncode(self) -> int:
        """Its exit code, after its end."""
        return self._process.wait()

    @property
    def words(self) -> str:
        """What it wrote outside of its events, for example why it could not begin."""
        self._errors.seek(0)
        return "".join([*self._others, self._errors.read()]).strip()

    def send(self, number: signal.Signals) -> None:
        """Signal the engine alone: it ends its plugins and the program in its own order."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def send_all(self, number: signal.Signals) -> None:
        """Signal the engine with all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def ended(self, seconds: float = 0) -> bool:
        """Whether it ends within that time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            return True
        return False

    def end(self) -> None:
        """End it with all that it started; it gets time to end by itself first."""
        self.send_all(signal.SIGINT)
        if not self.ended(_KILL_AFTER):
            self.send_all(signal.SIGKILL)
        self._process.wait()

    def _sweep(self) -> None:
        """End what outlives the engine: it would keep its output open, and nobody would wait for it."""
        self._process.wait()
        self.send_all(signal.SIGKILL)


@contextlib.contextmanager
def stream(arguments: Sequence[str], *, directory: Path, environment: Mapping[str, str]) -> Iterator[Stream]:
    """Start `pulumi ARGUMENTS`, to be followed by its events.

    It has a session of its own: the terminal's interrupt reaches this process, which passes it on. Raises
    `ConfigurationError` when there is no `pulumi` on the environment's PATH.
    """
    command = _command(arguments, environment)
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        yield Stream(process, errors)


def _command(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    program = shutil.which("pulumi", path=environment.get("PATH"))
    if program is None:
        raise ConfigurationError(f"pulumi is not on PATH. {_ENVIRONMENT_HINT}")
    return [program, "--non-interactive", "--color=never", *arguments]


def secret(stack: str, name: str) -> str:
    """The text of a stack's secret `crossmesh:NAME`. Raises `PulumiError` if it has none."""
    found = pulumi("config", "get", f"crossmesh:{name}", "--stack", stack).stdout
    return found.removesuffix("\n")


def stack_outputs(stack: str) -> dict[str, Any]:
    """All outputs of the stack, secrets in clear. Raises as `pulumi` does."""
    return dict(json.loads(pulumi("stack", "output", "--json", "--show-secrets", "--stack", stack).stdout))


def stack_state(stack: str) -> dict[str, Any]:
    """The stack's state as the engine exports it; secrets stay encrypted. Raises as `pulumi` does.

    Whether the backend knows a stack shows here: if not, `StackNotFoundError`.
    """
    return dict(json.loads(pulumi("stack", "export", "--stack", stack, timeout=300).stdout))


def backend_url() -> str:
    """URL of the state backend.

    The environment's, which the engine follows before all others, or what `pulumi` is logged in to; a
    relative directory is known to the engine alone.
    """
    set_here = os.environ.get("PULUMI_BACKEND_URL", "")
    if set_here.startswith("file:///"):
        return set_here
    return str(json.loads(pulumi("whoami", "--json").stdout)["url"])
