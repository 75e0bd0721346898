"""A declaration brought about from within a runbook: `pulumi up`, followed by its events."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping

from access import engine, pending
from access.locks import require_unlocked
from access.paths import project_root
from playbooks import tokens
from playbooks.phase import LEAVE_HOSTS
from report.errors import LockedError, OperationsError
from report.problem import Problem

BROUGHT_TO = {tokens.HOST_PHASE: ("digest", "roles_digest")}
"""What resources were last brought to, of those that a killed run leaves half done (`access.pending`)."""
_SECONDS = 3600.0
"""For one `up`: half a dozen hosts one after the other, each given twenty minutes at the most."""
_LEFT_SECONDS = 600.0
"""For the `up` of a run that was killed to end: nobody follows it any more."""
_POLL_SECONDS = 2.0
_SHOWN = 5
"""Errors that are told."""


def unapplied(stack: str) -> list[Problem]:
    """What of the declaration is not brought about yet, hosts left alone. Raises as `engine.pulumi` does."""
    looked_at = {**engine.environment(project_root()), LEAVE_HOSTS: "1"}
    arguments = ("preview", "--expect-no-changes", "--stack", stack)
    done = engine.pulumi(*arguments, timeout=600, check=False, environment=looked_at)
    if done.returncode == 0:
        return []
    said = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    return [
        Problem(
            f"not all that stack {stack} declares was brought about: {' / '.join(said[-3:])}",
            f"see them by `pulumi preview --stack {stack}`, and bring them about first: this runbook is to "
            "change what it says, and nothing else",
        )
    ]


def bring_about(stack: str, tell: Callable[[str], None], more: Mapping[str, str] | None = None) -> None:
    """Run `pulumi up` as it is declared now. more: further variables of its environment.

    What a run that was killed has left is settled before. Raises LockedError while somebody else changes the
    stack, and OperationsError with the engine's own words where it fails.
    """
    _settle(stack, tell)
    arguments = ["up", "--stack", stack, "--yes", "--skip-preview", "--json"]
    environment = {**engine.environment(project_root()), **(more or {})}
    results: list[str] = []
    errors: list[str] = []
    with engine.stream(arguments, directory=project_root(), environment=environment) as stream:
        late = threading.Timer(_SECONDS, stream.send, [signal.SIGINT])
        late.start()
        try:
            for event in stream.events():
                _told(event, tell)
                if (said := event.get("diagnosticEvent") or {}).get("severity") == "error":
                    errors.append(str(said.get("message", "")).strip())
                if "summaryEvent" in event:
                    results.append(str(event["summaryEvent"].get("result")))
        finally:
            late.cancel()
            stream.end()
    if stream.returncode != 0 or results != ["succeeded"]:
        words = "\n".join(list(dict.fromkeys(errors))[:_SHOWN]) or stream.words or "it gave no reason"
        raise OperationsError(f"`pulumi up --stack {stack}` failed:\n{words}")


def _told(event: engine.Event, tell: Callable[[str], None]) -> None:
    """Say what is begun, and what hosts say has changed."""
    metadata = (event.get("resourcePreEvent") or {}).get("metadata") or {}
    if metadata.get("op", "same") not in ("same", "read"):
        tell(f"{metadata['op']} {metadata['urn'].rpartition('::')[2]}")
    said = event.get("diagnosticEvent") or {}
    if said.get("severity") in ("info", "warning") and not said.get("ephemeral"):
        tell(str(said.get("message", "")).strip())


def _settle(stack: str, tell: Callable[[str], None]) -> None:
    """Have the next run go on with what a killed one left; one that is still at it is waited for."""
    deadline = time.monotonic() + _LEFT_SECONDS
    while True:
        try:
            left = require_unlocked(stack, "Wait until that has ended, then `crossmesh runbook resume`")
            break
        except LockedError as error:
            if time.monotonic() > deadline:
                raise
            tell(error.message)
            time.sleep(_POLL_SECONDS)
    if left:
        engine.pulumi("cancel", "--yes", "--stack", stack)
    for operation in pending.settle(stack, BROUGHT_TO):
        tell(f"goes on with what was interrupted: {operation}")
