"""From the engine's events of a preview to the change set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from access.engine import Event
from playbooks.definitions import as_object
from report.masking import SECRET_SIGNATURE, SIGNATURE, hiding
from report.model import SECRET, UNKNOWN, Against, Change, ChangeSet, Notice, Op, PropertyChange, Resource
from report.provenance import Provenances, identity
from report.urns import natural

_OPS = {
    "create": Op.CREATE,
    "import": Op.CREATE,
    "update": Op.UPDATE,
    "replace": Op.REPLACE,
    "create-replacement": Op.REPLACE,
    "import-replacement": Op.REPLACE,
    "delete-replaced": Op.REPLACE,
    "delete": Op.DELETE,
    "same": Op.SAME,
}
"""Steps of the engine that change or keep a resource; the others (reads, refreshes) are no changes."""

_OWN_MARKS = frozenset({"digest", "salt"})
"""Inputs of this project's provider that only stand for other inputs."""

_PLAIN = (str, int, float, type(None))
"""Types of most of a large stack's values, of which nothing can be secret by itself."""

_STANDARD_ERROR = "info#err"
"""How the engine marks what the program wrote to standard error: there is no other word of why it failed."""
FAILURE = "error:"
"""How the line begins there with which a program says why it failed."""

_SEGMENT = re.compile(r"\[(\d+)\]|\[\"((?:[^\"\\]|\\.)*)\"\]|\.?([^.\[]+)")


def change_set(events: Iterable[Event], against: Against) -> ChangeSet:
    """What a preview's events say, before anything is known of risks and places.

    A replacement is several steps for the engine and one change here. Sorted by URN; notices likewise.
    """
    steps: dict[str, dict[str, Any]] = {}
    notices: list[Notice] = []
    written: list[str] = []
    for event in events:
        if metadata := (event.get("resourcePreEvent") or {}).get("metadata"):
            _merge(steps, metadata)
        elif line := standard_error(event):
            # A line of a traceback says nothing by itself.
            written.append(line)
        elif (diagnostic := event.get("diagnosticEvent")) and (notice := _notice(diagnostic)):
            notices.append(notice)
    if written:
        notices.append(Notice("info", "\n".join(written)))
    before = Provenances({urn: step["old"] or step["new"] for urn, step in steps.items()})
    after = Provenances({urn: step["new"] or step["old"] for urn, step in steps.items()})
    changes, same = [], []
    for urn, step in sorted(steps.items()):
        if step["op"] is Op.SAME:
            same.append(_resource(urn, step["new"] or step["old"], after))
        else:
            changes.append(_change(urn, step, before, after))
    ordered = sorted(set(notices), key=lambda notice: (notice.urn, notice.severity, notice.message))
    return ChangeSet(against, tuple(changes), tuple(same), tuple(ordered))


def standard_error(event: Event) -> str:
    """The line that the program wrote to standard error; empty for other events."""
    diagnostic = event.get("diagnosticEvent") or {}
    return str(diagnostic["message"]).rstrip() if diagnostic.get("severity") == _STANDARD_ERROR else ""


def errors(events: Iterable[Event]) -> list[str]:
    """What the engine, or a provider, said as errors."""
    said = [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]
    return [str(words.get("message")).strip() for words in said if words.get("severity") == "error"]


def settled(changes: ChangeSet, issuers: Mapping[str, tuple[str, ...]]) -> ChangeSet:
    """A change set against a simulated state: without what only seems to change, with what only seems not to.

    What neither side knows before `up` counts as changed for the engine, and as the same for some providers.
    Where both sides declare the same, nothing changes, unless it comes from a certificate or authority that
    is issued anew. issuers: the certificates and authorities that each resource rests on, all by URN.
    """
    real = {change.urn: change for change in changes.changes if not _only_seems(change)}
    staying = {resource.urn: resource for resource in changes.after if resource.urn not in real}
    while follows := [urn for urn in staying if any(other in real for other in issuers.get(urn, ()))]:
        for urn in follows:
            resource = staying.pop(urn)
            real[urn] = Change(Op.UPDATE, urn, resource, resource)
    in_order = tuple(real[urn] for urn in sorted(real))
    return replace(changes, changes=in_order, same=tuple(staying[urn] for urn in sorted(staying)))


def _only_seems(change: Change) -> bool:
    if change.old is None or change.new is None:
        return False
    # Of secrets the engine says only that they differ; one that was not known would not be called a secret.
    differ = any(entry.old == SECRET == entry.new for entry in change.properties)
    return not differ and _declared_alike(change.old.inputs, change.new.inputs)


def _declared_alike(old: Any, new: Any) -> bool:
    """Whether two values are the same, where an old secret that is not known is only unknown."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_declared_alike(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_declared_alike, old, new))
    return bool(old == new) or (old == UNKNOWN and new == SECRET)


def masked(value: Any) -> Any:
    """A value of the engine with nothing left of its secrets, not even what they are encrypted to."""
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return SECRET
        return {key: entry if isinstance(entry, _PLAIN) else masked(entry) for key, entry in value.items()}
    return [masked(entry) for entry in value] if isinstance(value, list) else value


def value_at(value: Any, path: str) -> Any:
    """The value at a property path such as `spec.rules[0].host` or `data["a.b"]`; None if there is none.

    What is in a secret is secret.
    """
    for index, quoted, name in _SEGMENT.findall(path):
        if value == SECRET:
            return SECRET
        if index:
            if not isinstance(value, list) or int(index) >= len(value):
                return None
            value = value[int(index)]
        else:
            key = quoted.replace('\\"', '"') or name
            if not isinstance(value, Mapping) or key not in value:
                return None
            value = value[key]
    return value


def _merge(steps: dict[str, dict[str, Any]], metadata: Event) -> None:
    """Add one step to what is known of its resource."""
    op = _OPS.get(metadata["op"])
    if op is None:
        return
    told = (metadata.get("old"), metadata.get("new"))
    old, new = (as_object(state) if state else None for state in told)
    if (old, new) != told:
        # The provider tells that a definition differs, not where.
        metadata = {**metadata, "detailedDiff": None, "diffs": None}
    if metadata["op"] == "delete-replaced":
        # Its new state is that of the resource that goes.
        new = None
    step = steps.setdefault(
        metadata["urn"], {"op": op, "old": None, "new": None, "diff": {}, "diffs": [], "keys": []}
    )
    if step["op"] is not op:
        # A resource that is deleted before its replacement is made has steps of both kinds.
        step["op"] = Op.REPLACE
    step["old"] = step["old"] or old
    step["new"] = step["new"] or (None if op is Op.DELETE else new)
    step["diff"] = {**step["diff"], **(metadata.get("detailedDiff") or {})}
    for name in ("diffs", "keys"):
        step[name] = step[name] or list(metadata.get(name) or ())


def _change(urn: str, step: Mapping[str, Any], before: Provenances, after: Provenances) -> Change:
    op: Op = step["op"]
    old = _resource(urn, step["old"], before) if step["old"] and op is not Op.CREATE else None
    new = _resource(urn, step["new"], after) if step["new"] and op is not Op.DELETE else None
    replaces = {path for path, diff in step["diff"].items() if str(diff["diffKind"]).endswith("-replace")}
    reasons = sorted(replaces or set(step["keys"])) if op is Op.REPLACE else []
    properties = _properties(step, old, new, replaces or set(step["keys"]))
    return Change(op, urn, old, new, properties, tuple(reasons))


def _properties(
    step: Mapping[str, Any], old: Resource | None, new: Resource | None, replaces: set[str]
) -> tuple[PropertyChange, ...]:
    if old is None or new is None:
        return ()
    outputs = [_shown(state["type"], state.get("outputs")) for state in (step["old"], step["new"])]
    paths = set(step["diff"]) or set(_differences(old.inputs, new.inputs)) or set(step["diffs"])
    if not paths <= _OWN_MARKS:
        paths -= _OWN_MARKS
    found = []
    for path in sorted(paths, key=natural):
        one, other = old.inputs, new.inputs
        if value_at(one, path) is None and value_at(other, path) is None:
            one, other = outputs
        before, after = value_at(one, path), value_at(other, path)
        # Of a mapping, what in it differs: whole ones are too long to see it.
        both = isinstance(before, Mapping) and isinstance(after, Mapping)
        inner = sorted(_differences(before, after, path), key=natural) if both else []
        found += [
            PropertyChange(each, value_at(one, each), value_at(other, each), path in replaces)
            for each in inner or [path]
        ]
    return tuple(found)


def _differences(old: Any, new: Any, path: str = "") -> Iterable[str]:
    """Paths of the leaves in which two values differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), below(path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index, (before, after) in enumerate(zip_longest(old, new)):
            yield from _differences(before, after, f"{path}[{index}]")
    elif old != new:
        yield path


def below(path: str, key: str) -> str:
    """The path of a key, as the engine writes it."""
    if re.search(r"[.\[\]\"]", key):
        escaped = key.replace('"', '\\"')
        return f'{path}["{escaped}"]'
    return f"{path}.{key}" if path else key


def _resource(urn: str, state: Mapping[str, Any], provenances: Provenances) -> Resource:
    return Resource(
        **identity(urn, state, provenances[urn]), inputs=_shown(state["type"], state.get("inputs"))
    )


def _shown(type: str, properties: Mapping[str, Any] | None) -> dict[str, Any]:
    """Properties without secrets. What a Kubernetes Secret holds is none of anybody's business, also where it
    is not marked: the cluster hides it as one.
    """
    return hiding(type, masked(properties or {}), lambda value: value if value == UNKNOWN else SECRET)


def _notice(diagnostic: Event) -> Notice | None:
    """A diagnostic that is no passing word on progress."""
    message = str(diagnostic.get("message") or "").strip()
    if not message or diagnostic.get("ephemeral"):
        return None
    severity = str(diagnostic.get("severity")).partition("#")[0]
    severity = severity if severity in ("error", "warning") else "info"
    return Notice(severity, message, str(diagnostic.get("urn") or ""))
