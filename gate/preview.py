"""Run the engine's preview and take in what it says."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from access import engine, refusals
from access.engine import Event
from gate.workspace import Workspace
from playbooks.phase import LEAVE_HOSTS
from report.errors import CancelledError, DeadlineError
from report.progress import Say

OnEvent = Callable[[Event], None]

_TAKEN = ("diagnosticEvent", "summaryEvent")
DRIFTED = ("update", "delete")
"""What a refresh does to resources that are not as they were left."""
_OF_DRIFT = ("urn", "op", "detailedDiff", "diffs")

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
    show_secrets: bool = False,
    hosts: bool = True,
    timeout: float = 1800,
    on_event: OnEvent = lambda _: None,
    asked: Future[Any] | None = None,
) -> Preview:
    """Preview the workspace's stack.

    packs: directories of policy packs. plan: where to write the engine's plan. hosts: whether those that
    change are looked at. asked: as of `run`. Raises as `run` does.
    """
    if not hosts:
        workspace = replace(workspace, environment={**workspace.environment, LEAVE_HOSTS: "1"})
    arguments = ["preview", "--json", "--stack", workspace.stack]
    for pack in packs:
        arguments += ["--policy-pack", str(pack)]
    if plan is not None:
        arguments += ["--save-plan", str(plan)]
    if show_secrets:
        arguments += ["--show-secrets"]
    return run(workspace, arguments, timeout=timeout, on_event=on_event, asked=asked)


def run(
    workspace: Workspace,
    arguments: Sequence[str],
    *,
    timeout: float,
    on_event: OnEvent,
    asked: Future[Any] | None = None,
) -> Preview:
    """Run `pulumi ARGUMENTS`, and hand each of its events on as it comes. `timeout` is in seconds.

    asked: what is found out meanwhile; as soon as that fails, the engine is ended and the error raised.

    When this process is interrupted, or `on_event` raises, it is interrupted as well and waited for, so that
    it can put its affairs in order.

    Raises `AuthenticationError`, `StackNotFoundError`, `LockedError` and `DeadlineError`. Other failures of
    the engine are in what is returned.
    """
    events: list[Event] = []
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
        if asked is not None:
            asked.add_done_callback(lambda answer: _end_if_refused(answer, stream))
        try:
            for event in stream.events():
                on_event(event)
                if brief := _brief(event):
                    events.append(brief)
        except BaseException:
            stream.end()
            raise
        finally:
            with _lock:
                _running.discard(stream)
            timer.cancel()
        if asked is not None and asked.done():
            asked.result()
        if expired.is_set():
            raise DeadlineError(
                f"stack {workspace.stack!r}: `pulumi {arguments[0]}` did not end within {timeout:g} s."
            )
        code, words = stream.returncode, stream.words
    results = [event["summaryEvent"].get("result") for event in events if "summaryEvent" in event]
    succeeded = code == 0 and results == ["succeeded"]
    if not succeeded and (refusal := refusals.known(words, f"stack {workspace.stack!r}: {words}")):
        raise refusal
    return Preview(tuple(events), succeeded, words)


def _end_if_refused(answer: Future[Any], stream: engine.Stream) -> None:
    if answer.exception() is not None and not stream.ended():
        stream.end()


def teller(say: Say, where: Callable[[int], str]) -> OnEvent:
    """Tell how far the engine is, and what a host is at. where: in words, by the number of resources seen."""
    seen = 0

    def tell(event: Event) -> None:
        nonlocal seen
        begun = "resourcePreEvent" in event
        seen += begun
        diagnostic = event.get("diagnosticEvent") or {}
        words = str(diagnostic.get("message") or "").strip()
        if diagnostic.get("ephemeral") and words:
            say(f"{where(seen)}; {words}")
        elif begun:
            say(where(seen))

    return tell


def interrupt_all() -> None:
    """Interrupt every engine that runs, which ends by itself; none is started any more."""
    _interrupted.set()
    with _lock:
        for stream in _running:
            stream.send_all(signal.SIGINT)


def _brief(event: Event) -> Event | None:
    """An event without what nobody asks for; None if nothing is left. Large stacks have 100 MB of them."""
    if begun := (event.get("resourcePreEvent") or {}).get("metadata"):
        old = None if begun["op"] == "same" else begun.get("old")
        return {"resourcePreEvent": {"metadata": {**begun, "old": old}}}
    if (ended := (event.get("resOutputsEvent") or {}).get("metadata")) and ended["op"] in DRIFTED:
        return {"resOutputsEvent": {"metadata": {key: ended.get(key) for key in _OF_DRIFT}}}
    kind = next((key for key in event if key in _TAKEN or key.startswith("policy")), None)
    return {kind: event[kind]} if kind else None
