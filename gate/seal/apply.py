"""Run the engine with a sealed plan, watch each of its steps, and know at any moment how far it came."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from gate.changes import Event
from gate.preview import events_of
from gate.seal.place import InPlace
from gate.seal.steps import Step, Track
from report.errors import ConfigurationError, OperationsError

_GRACE = 300.0
"""Seconds that steps which run have to end, once the time is up. Then the engine is told to drop them."""
_LAST = 30.0
"""Seconds until it is killed after that."""

Permit = Callable[[], None]
OnStep = Callable[[Step], None]
OnEvent = Callable[[Event], None]


class Stop(StrEnum):
    """Why the engine was told to stop."""

    REFUSED = "refused"
    """Before anything was applied."""
    DEVIATION = "deviation"
    INTERRUPTED = "interrupted"
    DEADLINE = "deadline"


@dataclass(frozen=True)
class ApplyResult:
    """How a run ended."""

    succeeded: bool
    """The engine's own word; its exit code says less."""
    words: str
    """What it wrote outside of its events, for example why it could not begin."""
    stop: Stop | None = None
    """Why it was told to stop, if it was."""
    refusal: OperationsError | None = None
    """Why it was not let begin."""


class Apply:
    """One run of `pulumi up` with a plan."""

    def __init__(self, place: InPlace, track: Track, *, timeout: float) -> None:
        """timeout: seconds until no new step is begun."""
        self._place = place
        self._track = track
        self._timeout = timeout
        self._process: subprocess.Popen[str] | None = None
        self._stop: Stop | None = None
        self._interrupted = False
        self._refusal: OperationsError | None = None

    def run(self, permit: Permit, on_step: OnStep, on_event: OnEvent) -> ApplyResult:
        """Apply the plan.

        permit: called once, when the engine holds the stack and before anything is applied. It raises an
        `OperationsError` to refuse. on_step is told of each change that is done, on_event of every event.

        The first thing that is not in the plan stops the run.
        """
        with tempfile.TemporaryFile("w+") as errors:
            # A session of its own: the terminal's interrupt reaches this process, which passes it on.
            process = self._process = subprocess.Popen(
                self._command(),
                cwd=self._place.workspace.directory,
                env=dict(self._place.workspace.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
            if self._stop is not None:
                # It came while the engine was being started.
                _send(process, signal.SIGINT)
            watchdog = threading.Thread(target=self._watch, args=(process,), daemon=True)
            watchdog.start()
            others: list[str] = []
            results: list[str] = []
            begun = False
            assert process.stdout is not None
            try:
                for event in events_of(process.stdout, others):
                    if "preludeEvent" in event and not begun:
                        begun = True
                        self._hold(process, permit)
                    done = self._track.take(event)
                    if self._track.runaway:
                        self.stop(Stop.DEVIATION)
                    if done is not None:
                        on_step(done)
                    on_event(event)
                    if "summaryEvent" in event:
                        results.append(str(event["summaryEvent"].get("result")))
                code = process.wait()
            finally:
                self._end(process)
            errors.seek(0)
            words = "".join([*others, errors.read()]).strip()
        succeeded = code == 0 and results == ["succeeded"]
        return ApplyResult(succeeded, words, self._stop, self._refusal)

    def stop(self, why: Stop) -> None:
        """Tell the engine to begin nothing more. The second time that the user interrupts, it drops what
        runs.
        """
        first = self._stop is None
        again = self._interrupted and why is Stop.INTERRUPTED
        self._stop = self._stop or why
        self._interrupted = self._interrupted or why is Stop.INTERRUPTED
        if self._process is not None and (first or again):
            _send(self._process, signal.SIGINT)

    def _command(self) -> list[str]:
        program = shutil.which("pulumi", path=self._place.workspace.environment.get("PATH"))
        if program is None:
            raise ConfigurationError(
                'pulumi is not on PATH. Activate the project\'s environment first: eval "$(make -s env)".'
            )
        # Under a plan that was read from a file, the engine's own preview takes every secret that is not
        # known yet for a deviation.
        return [
            *(program, "up", "--plan", str(self._place.plan_file), "--skip-preview", "--yes"),
            *("--refresh=false", "--json", "--non-interactive", "--color=never", *self._place.arguments),
        ]

    def _hold(self, process: subprocess.Popen[str], permit: Permit) -> None:
        """Keep the engine where it is, before the first change, until that is permitted.

        It holds the stack, so nobody else can change that any more, and waits for the program to start.
        """
        permitted = False
        _send(process, signal.SIGSTOP)
        try:
            permit()
            permitted = True
        except OperationsError as error:
            self._refusal = error
        finally:
            if not permitted:
                # It comes first when the engine goes on.
                self.stop(Stop.REFUSED)
            _send(process, signal.SIGCONT)

    def _watch(self, process: subprocess.Popen[str]) -> None:
        """Stop the run when its time is up; then end what outlives the engine and would keep its output
        open.
        """
        if not _ended(process, self._timeout):
            self.stop(Stop.DEADLINE)
            if not _ended(process, _GRACE):
                _send(process, signal.SIGINT)
                if not _ended(process, _LAST):
                    _send(process, signal.SIGKILL)
        process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def _end(self, process: subprocess.Popen[str]) -> None:
        """Leave no engine behind when this process fails."""
        if process.poll() is None:
            self.stop(Stop.INTERRUPTED)
            if not _ended(process, _GRACE):
                _send(process, signal.SIGKILL)
                process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _ended(process: subprocess.Popen[str], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _send(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Signal the engine alone: it ends its plugins and the program in its own order."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
