"""Run the engine's preview and take in what it says."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from access import engine, refusals
from access.engine import Event
from gate.workspace import Workspace
from report.errors import CancelledError, DeadlineError

_TAKEN = ("resourcePreEvent", "diagnosticEvent", "summaryEvent")

_lock = threading.RLock()
"""Entered anew when an interrupt comes while it is held."""
_running: set[engine.Stream] = set()
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

    When this process is interrupted, or `take` raises, it is interrupted as well and waited for, so that it
    can put its affairs in order.
    """
    if _interrupted.is_set():
        raise CancelledError(f"stack {workspace.stack!r}: interrupted.")
    with engine.stream(arguments, directory=workspace.directory, environment=workspace.environment) as stream:
        with _lock:
            _running.add(stream)
        if _interrupted.is_set():
            # It came while the engine was being started.
            stream.send_all(signal.SIGINT)
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            stream.end()

        timer = threading.Timer(timeout, expire)
        timer.daemon = True
        timer.start()
        try:
            for event in stream.events():
                take(event)
        except BaseException:
            stream.end()
            raise
        finally:
            with _lock:
                _running.discard(stream)
            timer.cancel()
        if expired.is_set():
            raise DeadlineError(
                f"stack {workspace.stack!r}: `pulumi {arguments[0]}` did not end within {timeout:g} s."
            )
        return stream.returncode, stream.words


def interrupt_all() -> None:
    """Interrupt every engine that runs, for a command that is itself interrupted; they end by themselves.
    None is started any more.
    """
    _interrupted.set()
    with _lock:
        for stream in _running:
            stream.send_all(signal.SIGINT)


def _brief(event: Event) -> Event | None:
    """An event without what nobody asks for; None if nothing is left. Large stacks have 100 MB of them."""
    metadata = (event.get("resourcePreEvent") or {}).get("metadata")
    if metadata is not None:
        old = None if metadata["op"] == "same" else metadata.get("old")
        return {"resourcePreEvent": {"metadata": {**metadata, "old": old}}}
    kind = next((key for key in event if key in _TAKEN or key.startswith("policy")), None)
    return {kind: event[kind]} if kind else None
