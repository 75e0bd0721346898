"""Hosts: which phases run on which machine, and which tasks would change it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gate.effects.belonging import HOST_PHASE, host_of, phase_of
from gate.effects.layers.table import rows
from playbooks.phase import RECORDED
from report.model import Change, ChangeSet, Layer, Notice, Op, Resource

_NOT_MEASURABLE = re.compile(r"^(?P<what>.+?): not measurable(?: from here on)?[:,] (?P<why>.+)$", re.S)
_APPLIED = "as applied"


def hosts(changes: ChangeSet) -> Layer:
    """One row per host and phase. What check mode said of it is in the row; what it could not say is told
    once for all hosts with the same reason.
    """
    before = {_key(found): _APPLIED for found in changes.before if found.type == HOST_PHASE}
    after = {_key(found): _APPLIED for found in changes.after if found.type == HOST_PHASE}
    said: dict[str, list[Notice]] = {}
    for notice in changes.notices:
        said.setdefault(notice.urn, []).append(notice)
    reasons: dict[str, list[str]] = {}
    for change in changes.changes:
        if change.resource.type != HOST_PHASE:
            continue
        key = _key(change.resource)
        if change.op is not Op.DELETE:
            after[key] = _what_runs(change, said.get(change.urn, ()))
        elif change.resource.inputs.get("reset_on_delete"):
            before[key] = f"{_APPLIED}; is reset"
        for notice in said.get(change.urn, ()):
            if found := _NOT_MEASURABLE.match(notice.message):
                reasons.setdefault(_reason(host_of(change.resource), found["why"]), []).append(key)
    missing = [f"check mode of {_shortened(keys)}: {why}" for why, keys in sorted(reasons.items())]
    return Layer("hosts", "Hosts: phases of playbooks", rows(before, after), tuple(missing))


def _what_runs(change: Change, notices: Iterable[Notice]) -> str:
    tasks = [
        notice.message.partition(": ")[2]
        for notice in notices
        if notice.severity == "info" and "would change it" in notice.message
    ]
    if tasks:
        return "runs: " + "; ".join(" / ".join(line.strip() for line in text.splitlines()) for text in tasks)
    if change.op is Op.CREATE:
        return "runs for the first time"
    names = [entry.path.removeprefix("variables.") for entry in change.properties]
    if names and set(names) <= set(RECORDED):
        return f"{_APPLIED}; noted: {', '.join(names)}"
    return "runs" + (f", because of {', '.join(names)}" if names else "")


def _reason(host: str, why: str) -> str:
    """A reason without what is of one host, so that hosts share it."""
    first = why.strip().splitlines()[0].removeprefix(f"{host}: ")
    return re.sub(r"host unreachable \(.*\)", "host unreachable", first)


def _shortened(keys: list[str]) -> str:
    shown = ", ".join(keys[:3])
    return shown if len(keys) <= 3 else f"{shown} and {len(keys) - 3} more"


def _key(resource: Resource) -> str:
    return f"{host_of(resource)} {phase_of(resource)}"
