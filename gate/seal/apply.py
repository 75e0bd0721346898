"""Run the engine with a sealed plan, watch each of its steps, and know at any moment how far it came."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from access import engine
from gate.preview import OnEvent
from gate.seal.steps import Step, Track
from gate.workspace import InPlace
from report.errors import OperationsError

_GRACE = 300.0
"""Seconds that steps which run have to end, once the time is up. Then the engine is told to drop them."""
_LAST = 30.0
"""Seconds until it is killed after that."""


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
        self._stream: engine.Stream | None = None
        self._stop: Stop | None = None
        self._interrupted = False
        self._refusal: OperationsError | None = None

    def run(
        self, permit: Callable[[], None], on_step: Callable[[Step], None], on_event: OnEvent
    ) -> ApplyResult:
        """Apply the plan.

        permit: called once, when the engine holds the stack and before anything is applied. It raises an
        `OperationsError` to refuse. on_step is told of each change that is done, on_event of every event.

        The first thing that is not in the plan stops the run.
        """
        workspace = self._place.workspace
        # Under a plan that was read from a file, the engine's own preview takes every secret that is not
        # known yet for a deviation.
        arguments = ["up", "--plan", str(self._place.plan_file), "--skip-preview", "--yes", "--refresh=false"]
        arguments += ["--json", *self._place.arguments]
        with engine.stream(
            arguments, directory=workspace.directory, environment=workspace.environment
        ) as stream:
            self._stream = stream
            if self._stop is not None:
                # It came while the engine was being started.
                stream.send(signal.SIGINT)
            threading.Thread(target=self._watch, args=(stream,), daemon=True).start()
            results: list[str] = []
            begun = False
            try:
                for event in stream.events():
                    if "preludeEvent" in event and not begun:
                        begun = True
                        self._hold(stream, permit)
                    done = self._track.take(event)
                    if self._track.runaway:
                        self.stop(Stop.DEVIATION)
                    if done is not None:
                        on_step(done)
                    on_event(event)
                    if "summaryEvent" in event:
                        results.append(str(event["summaryEvent"].get("result")))
            finally:
                self._end(stream)
            code, words = stream.returncode, stream.words
        succeeded = code == 0 and results == ["succeeded"]
        return ApplyResult(succeeded, words, self._stop, self._refusal)

    def stop(self, why: Stop) -> None:
        """Tell the engine to begin nothing more; when the user interrupts again, to drop what runs."""
        first = self._stop is None
        again = self._interrupted and why is Stop.INTERRUPTED
        self._stop = self._stop or why
        self._interrupted = self._interrupted or why is Stop.INTERRUPTED
        if self._stream is not None and (first or again):
            self._stream.send(signal.SIGINT)

    def _hold(self, stream: engine.Stream, permit: Callable[[], None]) -> None:
        """Keep the engine where it is, before the first change, until that is permitted.

        It holds the stack, so nobody else can change that any more, and waits for the program to start.
        """
        permitted = False
        stream.send(signal.SIGSTOP)
        try:
            permit()
            permitted = True
        except OperationsError as error:
            self._refusal = error
        finally:
            if not permitted:
                # It comes first when the engine goes on.
                self.stop(Stop.REFUSED)
            stream.send(signal.SIGCONT)

    def _watch(self, stream: engine.Stream) -> None:
        """Stop the run when its time is up."""
        if stream.ended(self._timeout):
            return
        self.stop(Stop.DEADLINE)
        if stream.ended(_GRACE):
            return
        stream.send(signal.SIGINT)
        if not stream.ended(_LAST):
            stream.send(signal.SIGKILL)

    def _end(self, stream: engine.Stream) -> None:
        """Leave no engine behind when this process fails."""
        if not stream.ended():
            self.stop(Stop.INTERRUPTED)
            if not stream.ended(_GRACE):
                stream.send(signal.SIGKILL)
