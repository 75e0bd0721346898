"""What the gate promised, beside what `pulumi up` did: per resource, the operation and every input."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gate.changes import change_set
from report.model import SECRET, UNKNOWN, Against, ChangeSet

MADE_UP = frozenset({"salt", "digest"})
"""Inputs of host phases that rest on a random number of each run of the engine."""


def of_report(path: Path, stack: str) -> dict[str, tuple[str, Any]]:
    """Operation and new inputs (old ones, where there are no new) of every change in a JSON report."""
    document = json.loads(path.read_text())
    (found,) = [entry for entry in document["stacks"] if entry["stack"] == stack]
    return {
        change["urn"]: (change["op"], (change["new"] or change["old"])["inputs"])
        for change in found["changes"]
    }


def of_run(events: Path) -> dict[str, tuple[str, Any]]:
    """The same of the events of `pulumi up`."""
    lines = (json.loads(line) for line in events.read_text().splitlines() if line.startswith("{"))
    return of_changes(change_set(lines, Against.STATE))


def of_state(resources: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, Any]]:
    """The same of the resources of a state that there was nothing of before."""
    made = ({"op": "create", "urn": resource["urn"], "new": resource} for resource in resources)
    events = [{"resourcePreEvent": {"metadata": metadata}} for metadata in made]
    return of_changes(change_set(events, Against.NOTHING))


def of_changes(changes: ChangeSet) -> dict[str, tuple[str, Any]]:
    """The same of a change set."""
    return {change.urn: (str(change.op), change.resource.inputs) for change in changes.changes}


def broken(promised: Mapping[str, tuple[str, Any]], done: Mapping[str, tuple[str, Any]]) -> list[str]:
    """Where the two differ, one line each. What a preview cannot know may become anything."""
    lines = [f"promised, not done: {promised[urn][0]} {urn}" for urn in sorted(promised.keys() - done.keys())]
    lines += [f"done, not promised: {done[urn][0]} {urn}" for urn in sorted(done.keys() - promised.keys())]
    for urn in sorted(promised.keys() & done.keys()):
        (said, expected), (op, inputs) = promised[urn], done[urn]
        if said != op:
            lines.append(f"{said} promised, {op} done: {urn}")
        lines += [f"{urn}: {line}" for line in _differences(expected, inputs, "")]
    return lines


def _open(promised: Any, done: Any) -> bool:
    """Whether anything may come of what was promised. A secret's parts are hidden as one in the end."""
    if isinstance(promised, Mapping) and done == SECRET:
        return bool(promised) and all(_open(part, SECRET) for part in promised.values())
    return promised in (UNKNOWN, SECRET)


def _differences(promised: Any, done: Any, path: str) -> Iterable[str]:
    if path.rpartition(".")[2] in MADE_UP or _open(promised, done):
        return
    if isinstance(promised, Mapping) and isinstance(done, Mapping):
        for key in sorted({*promised, *done}):
            yield from _differences(promised.get(key), done.get(key), f"{path}.{key}" if path else key)
    elif isinstance(promised, list) and isinstance(done, list) and len(promised) == len(done):
        for index, (one, other) in enumerate(zip(promised, done, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif promised != done:
        yield f"{path}: promised {promised!r:.200}, done {done!r:.200}"
