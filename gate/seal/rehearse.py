"""The last look before the first write: the engine's preview must find the changes that were sealed, and what
they touch must be as it was left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from access.engine import Event
from gate import engine_failure, preview
from gate.changes import change_set
from gate.preview import DRIFTED, OnEvent
from gate.seal.sealed import SealedChange, sealed_change
from gate.seal.steps import Step
from gate.workspace import InPlace
from playbooks.tokens import CLUSTER_IDENTITY
from report.errors import PreviewError, StaleError
from report.model import Against, ChangeSet, Op
from report.urns import short_name

_NOT_MEASURABLE = "not measurable"
_TOUCHING = frozenset({Op.UPDATE, Op.REPLACE, Op.DELETE})
_ARGUMENTS_BYTES = 1_000_000
"""How much the system takes as arguments of one program, with room for the environment."""

Run = Callable[[Sequence[str]], Sequence[Event]]
"""Runs the engine with these arguments; returns its events, or raises `RehearsalError`."""


class RehearsalError(PreviewError):
    """The engine failed to tell what it would do. `urns` are the resources that it failed at."""

    def __init__(self, message: str, urns: frozenset[str]) -> None:
        super().__init__(message)
        self.urns = urns


def rehearse(
    place: InPlace, sealed: Sequence[SealedChange], *, timeout: float, on_event: OnEvent
) -> ChangeSet:
    """Look once more; return what would change: the changes that were sealed, no more and no less.

    Raises `StaleError` that names every difference, and everything that the changes touch and that is not as
    it was left; `PreviewError` if the engine cannot tell, if a cluster is another one than the stack's, or if
    one cannot be reached; and the errors of `preview.run`. timeout: seconds for each of the engine's runs.
    """
    run = partial(_run, place, timeout, on_event)
    try:
        changes = _preview(run, sealed)
    except RehearsalError as error:
        # What somebody changed by hand may be why: that is clearer than what the cluster says of it. But in
        # another cluster than the stack's, nothing is as it was left.
        if not any(CLUSTER_IDENTITY in urn for urn in error.urns):
            with contextlib.suppress(PreviewError):
                _require_as_left(run, sealed)
        raise
    _require_as_left(run, sealed)
    return changes


def _preview(run: Run, sealed: Sequence[SealedChange]) -> ChangeSet:
    changes = change_set(run(["preview", "--refresh=false"]), Against.STATE)
    if found := differences(sealed, map(sealed_change, changes.changes)):
        raise StaleError("\n  ".join(["the changes are not the ones that were sealed:", *found]))
    return changes


def _require_reached(event: Event) -> None:
    """Stop at the first word that a cluster is silent: the engine would wait for each of its objects."""
    said = event.get("diagnosticEvent") or {}
    message = str(said.get("message")).strip()
    if CLUSTER_IDENTITY in str(said.get("urn")) and message.startswith(_NOT_MEASURABLE):
        words = message.removeprefix(f"{_NOT_MEASURABLE}: ")
        raise PreviewError(f"a cluster of this stack cannot be reached:\n  {words}")


def differences(sealed: Iterable[SealedChange], now: Iterable[SealedChange]) -> tuple[str, ...]:
    """How the changes of now differ from those that were sealed, a line each, in order of URN."""
    before, after = {change.urn: change for change in sealed}, {change.urn: change for change in now}
    found = []
    for urn in sorted({*before, *after}):
        old, new = before.get(urn), after.get(urn)
        if old is None and new is not None:
            found.append(f"{Step(new.op, urn)} was not sealed")
        elif new is None and old is not None:
            found.append(f"{Step(old.op, urn)} was sealed, and does not come about")
        elif old is not None and new is not None and old.op is not new.op:
            found.append(f"{Step(new.op, urn)}: sealed is {old.op}")
        elif old is not None and new is not None and old.inputs != new.inputs:
            found.append(f"{Step(new.op, urn)}: with other inputs than were sealed")
    return tuple(found)


def _require_as_left(run: Run, changes: Sequence[SealedChange]) -> None:
    """Compare what the changes touch with the state: what somebody edited meanwhile is not written over.

    Only resources that are there and that the plan updates, replaces or deletes are read. Nothing is written,
    and no lock is taken.
    """
    touched = [change.urn for change in changes if change.op in _TOUCHING]
    if not touched:
        return
    arguments = ["refresh", "--preview-only"]
    targets = [part for urn in touched for part in ("--target", urn)]
    if sum(len(part) + 1 for part in targets) < _ARGUMENTS_BYTES:
        arguments += targets
    if found := drifted(run(arguments), frozenset(touched)):
        lines = "\n  ".join(["what the plan touches is not as the last `up` left it:", *found])
        fix = "Look who changed it and why. `pulumi refresh` takes it into the state; then a gate shows"
        raise StaleError(f"{lines}\n{fix} what the change does.")


def drifted(events: Iterable[Event], touched: frozenset[str]) -> tuple[str, ...]:
    """What a refresh found not to be as it was left, a line each, in order of URN."""
    found = {}
    for event in events:
        metadata = (event.get("resOutputsEvent") or {}).get("metadata") or {}
        urn, op = metadata.get("urn", ""), metadata.get("op")
        if urn not in touched or op not in DRIFTED:
            continue
        names = sorted({*(metadata.get("detailedDiff") or ()), *(metadata.get("diffs") or ())})
        what = f"edited: {', '.join(names) or 'what it answers'}" if op == "update" else "not there any more"
        found[urn] = f"{short_name(urn)} ({urn}): {what}"
    return tuple(found[urn] for urn in sorted(found))


def _run(place: InPlace, timeout: float, on_event: OnEvent, arguments: Sequence[str]) -> Sequence[Event]:
    def take(event: Event) -> None:
        on_event(event)
        _require_reached(event)

    told = [*arguments, "--json", *place.arguments]
    seen = preview.run(place.workspace, told, timeout=timeout, on_event=take)
    if not seen.succeeded:
        changes = change_set(seen.events, Against.STATE)
        directory = place.workspace.directory
        why = engine_failure.findings(changes.notices, seen.events, seen.words, directory)
        message = "\n  ".join([f"`pulumi {arguments[0]}` failed:", *(found.message for found in why)])
        raise RehearsalError(message, frozenset(found.urn for found in why))
    return seen.events
