"""Run the engine's preview and take in what it says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from access import refusals
from gate.changes import Event
from gate.workspace import Workspace
from report.errors import CancelledError, ConfigurationError, DeadlineError

_KILL_AFTER = 10.0
"""Seconds that the engine has to end after it was interrupted."""

_TAKEN = ("resourcePreEvent", "diagnosticEvent", "summaryEvent")

_lock = threading.RLock()
"""Entered anew when an interrupt comes while it is held."""
_running: set[subprocess.Popen[str]] = set()
_interrupted = threading.Event()


@dataclass(frozen=True)
class Preview:
    """What the engine said. `succeeded` is its own word; its exit code says less."""

    events: tuple[Event, ...]
    succeeded: bool
    words: str
    """What it wrote outside of its events, for example why it could not begin."""


def preview(
    workspace: Workspace,
    *,
    packs: Sequence[Path] = (),
    plan: Path | None = None,
    refresh: bool = False,
    show_secrets: bool = False,
    timeout: float = 1800,
    on_event: Callable[[Event], None] = lambda _: None,
) -> Preview:
    """Preview the workspace's stack.

    packs: directories of policy packs. plan: where to write the engine's plan. refresh: compare with what
    there is instead of with the state. `timeout` is in seconds.

    Raises `AuthenticationError`, `StackNotFoundError`, `LockedError` and `DeadlineError`. Other failures of
    the engine are in what is returned.
    """
    arguments = ["preview", "--json", "--stack", workspace.stack]
    for pack in packs:
        arguments += ["--policy-pack", str(pack)]
    if plan is not None:
        arguments += ["--save-plan", str(plan)]
    if refresh:
        arguments += ["--refresh"]
    if show_secrets:
        arguments += ["--show-secrets"]
    events: list[Event] = []

    def take(event: Event) -> None:
        on_event(event)
        brief = _brief(event)
        if brief is not None:
            events.append(brief)

    code, words = run(workspace, arguments, take, timeout=timeout)
    results = [event["summaryEvent"].get("result") for event in events if "summaryEvent" in event]
    succeeded = code == 0 and results == ["succeeded"]
    if not succeeded:
        refusals.raise_known(words, workspace.stack)
    return Preview(tuple(events), succeeded, words)


def run(
    workspace: Workspace, arguments: Sequence[str], take: Callable[[Event], None], *, timeout: float
) -> tuple[int, str]:
    """Run `pulumi ARGUMENTS`, hand each of its events to `take` as it comes; return its exit code and words.

    It has a process group of its own. When this process is interrupted, or `take` raises, it is interrupted
    as well and waited for, so that it can put its affairs in order.
    """
    if _interrupted.is_set():
        raise CancelledError(f"stack {workspace.stack!r}: interrupted.")
    program = shutil.which("pulumi", path=workspace.environment.get("PATH"))
    if program is None:
        raise ConfigurationError(
            'pulumi is not on PATH. Activate the project\'s environment first: eval "$(make -s env)".'
        )
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [program, "--non-interactive", "--color=never", *arguments],
            cwd=workspace.directory,
            env=dict(workspace.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        with _lock:
            _running.add(process)
        if _interrupted.is_set():
            # It came while the engine was being started.
            _signal(process, signal.SIGINT)
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            _interrupt(process)

        timer = threading.Timer(timeout, expire)
        timer.daemon = True
        timer.start()
        sweeper = threading.Thread(target=_sweep, args=(process,), daemon=True)
        sweeper.start()
        others: list[str] = []
        try:
            assert process.stdout is not None
            for event in events_of(process.stdout, others):
                take(event)
            sweeper.join()
        except BaseException:
            _interrupt(process)
            raise
        finally:
            with _lock:
                _running.discard(process)
            timer.cancel()
            if process.stdout is not None:
                process.stdout.close()
        if expired.is_set():
            raise DeadlineError(
                f"stack {workspace.stack!r}: `pulumi {arguments[0]}` did not end within {timeout:g} s."
            )
        errors.seek(0)
        return process.returncode, "".join([*others, errors.read()]).strip()


def interrupt_all() -> None:
    """Interrupt every engine that runs, for a command that is itself interrupted; they end by themselves.
    None is started any more.
    """
    _interrupted.set()
    with _lock:
        for process in _running:
            _signal(process, signal.SIGINT)


def events_of(stream: IO[str], others: list[str]) -> Iterator[Event]:
    """The engine's events as they come; other lines go to `others`."""
    for line in stream:
        found: Any = None
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                found = json.loads(line)
        if isinstance(found, dict):
            yield found
        else:
            others.append(line)


def _sweep(process: subprocess.Popen[str]) -> None:
    """End what outlives the engine: it would keep its output open, and nobody would wait for it."""
    process.wait()
    _signal(process, signal.SIGKILL)


def _interrupt(process: subprocess.Popen[str]) -> None:
    """End the engine with all that it started; it gets time to end by itself first."""
    _signal(process, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_KILL_AFTER)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _brief(event: Event) -> Event | None:
    """An event without what nobody asks for; None if nothing is left. Large stacks have 100 MB of them."""
    metadata = (event.get("resourcePreEvent") or {}).get("metadata")
    if metadata is not None:
        old = None if metadata["op"] == "same" else metadata.get("old")
        return {"resourcePreEvent": {"metadata": {**metadata, "old": old}}}
    kind = next((key for key in event if key in _TAKEN or key.startswith("policy")), None)
    return {kind: event[kind]} if kind else None
