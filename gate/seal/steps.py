"""The steps that a sealed plan allows, and how far a run has come with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from access.engine import Event
from gate.changes import masked
from report.masking import HOLDERS
from report.model import SECRET, UNKNOWN
from report.urns import short_name
from stacks.quantities import equal_quantities

_HARMLESS = frozenset({"same", "read", "read-discard", "read-replacement", "refresh"})
"""Steps that change nothing but the state."""
_REPLACING = frozenset({"replace", "create-replacement", "delete-replaced"})
_WRITING = frozenset({"create", "create-replacement", "update"})
_LOGICAL = frozenset({"replace"})
"""Steps that only tell of others."""

_SAYS_NOTHING = frozenset({"update failed"})
_DEVIATES = re.compile(r"violates plan|is not allowed by the plan")
_MISSES = re.compile(r"expected resource operations for .* but none were seen")
"""What the engine says of steps that it was refused, and of steps that it did not come to."""


@dataclass(frozen=True)
class Step:
    """One step of the engine's with one resource. `op` is the engine's word, for example `create`."""

    op: str
    urn: str

    @property
    def name(self) -> str:
        """`type::name`, as people know the resource."""
        return short_name(self.urn)

    def __str__(self) -> str:
        return f"{self.op} {self.name} ({self.urn})"


class Track:
    """Takes in the engine's events, and knows what was done, what was begun and what is left."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        """plan: the engine's, as JSON."""
        resources = sorted((plan.get("resourcePlans") or {}).items())
        self._goals: dict[str, Mapping[str, Any]] = {urn: entry.get("goal") or {} for urn, entry in resources}
        self._allowed: dict[str, list[str]] = {
            urn: [step for step in entry.get("steps") or () if step not in _HARMLESS]
            for urn, entry in resources
        }
        self._components = {urn for urn, goal in self._goals.items() if goal and not goal.get("custom")}
        """Nothing is done for them, so they are in none of the lists."""
        self._begun: dict[Step, None] = {}
        self._left = {urn: list(steps) for urn, steps in self._allowed.items() if urn not in self._components}
        self.expected: Mapping[str, Mapping[str, Any]] = {}
        """Inputs, masked, of the objects whose values the plan leaves open."""
        self.applied: list[Step] = []
        self.failed: list[Step] = []
        self.deviation = ""
        """The first thing that the plan has no place for."""
        self.runaway = False
        """Whether the engine would go on after that. When it was the one to find it, it stops by itself, and
        ends what runs in order; an interrupt would break that off.
        """
        self.missed = ""
        """The engine's word on a planned step that did not come about."""
        self.errors: list[str] = []
        self.output: list[str] = []
        """What the program wrote as errors; a program that fails says so there."""

    @property
    def unfinished(self) -> tuple[Step, ...]:
        """Steps that were begun and of which no end was seen."""
        return tuple(step for step in self._begun if step not in self.failed)

    @property
    def left(self) -> tuple[Step, ...]:
        """Steps of the plan that were not begun, in order of URN."""
        begun = {*self._begun, *self.failed}
        return tuple(
            step
            for urn, ops in self._left.items()
            for op in ops
            if op not in _LOGICAL and (step := Step(op, urn)) not in begun
        )

    def take(self, event: Event) -> Step | None:
        """Take in one event; return the step that it says is done, if it changed something."""
        if metadata := (event.get("resourcePreEvent") or {}).get("metadata"):
            self._begin(Step(metadata["op"], metadata["urn"]), metadata.get("new") or {})
        elif metadata := (event.get("resOutputsEvent") or {}).get("metadata"):
            return self._end(Step(metadata["op"], metadata["urn"]))
        elif metadata := (event.get("resOpFailedEvent") or {}).get("metadata"):
            self.failed.append(Step(metadata["op"], metadata["urn"]))
        elif diagnostic := event.get("diagnosticEvent"):
            self._said(diagnostic)
        return None

    def _begin(self, step: Step, new: Mapping[str, Any]) -> None:
        if step.op in _HARMLESS:
            return
        planned = self._allowed.get(step.urn, [])
        # A value that was unknown may turn out to be such that less is to be done.
        less = step.op == "update" and not _REPLACING.isdisjoint(planned)
        if step.op not in planned and not less:
            instead = f"sealed is {' and '.join(planned)}" if planned else "it was to stay as it is"
            self._deviates(f"{step}: {instead}")
        elif step.op in _WRITING and step.urn in self.expected:
            found = unlike(self.expected[step.urn], masked(new.get("inputs") or {}))
            if found:
                self._deviates(f"{step}: other values than were sealed: {', '.join(found)}")
        if step.urn not in self._components:
            self._begun[step] = None

    def _deviates(self, words: str) -> None:
        self.deviation = self.deviation or words
        self.runaway = True

    def _end(self, step: Step) -> Step | None:
        left = self._left.get(step.urn)
        if left is not None:
            if step.op in {"same", "update"}:
                left.clear()
            elif step.op in left:
                left.remove(step.op)
        # Components end twice: when they are made, and with their outputs.
        known = step in self._begun
        self._begun.pop(step, None)
        if not known or step.op in _LOGICAL:
            return None
        self.applied.append(step)
        return step

    def _said(self, diagnostic: Mapping[str, Any]) -> None:
        message = str(diagnostic.get("message") or "").strip()
        severity = str(diagnostic.get("severity"))
        if diagnostic.get("ephemeral") or not message or message in _SAYS_NOTHING:
            return
        if not severity.startswith("error"):
            self.output += [message] if severity.endswith("#err") else []
            return
        urn = str(diagnostic.get("urn") or "")
        if _DEVIATES.search(message):
            self.deviation = self.deviation or self._without_values(urn, message)
        elif _MISSES.search(message):
            # It says so of everything that is left after a failure, too.
            self.missed = self.missed or message
        else:
            self.errors.append(f"{urn.rpartition('::')[2]}: {message}" if urn else message)

    def _without_values(self, urn: str, message: str) -> str:
        """The engine's word on a deviation, with names of properties alone: it prints values of secrets."""
        said, found, values = message.partition("properties changed:")
        if not found:
            return message
        urn = urn or next((name for name in self._goals if name in said), "")
        names = [
            name
            for name in sorted(_properties(self._goals.get(urn, {})))
            if re.search(rf"[+~=-][+~=-]{re.escape(name)}(?:\[|,|$)", values)
        ]
        return f"{said}properties are not as they were sealed: {', '.join(names) or 'one that was not there'}"


def _properties(goal: Mapping[str, Any]) -> set[str]:
    """Names of a resource's properties in the plan."""
    names = set(goal.get("propertyDependencies") or ())
    for diff in (goal.get("inputDiff") or {}, goal.get("outputDiff") or {}):
        names.update(*(diff.get(kind) or () for kind in ("adds", "updates", "deletes")))
    return names


def unlike(sealed: Mapping[str, Any], written: Mapping[str, Any]) -> tuple[str, ...]:
    """Paths of the properties in which an object differs from what was sealed, sorted; both are masked.

    The Kubernetes provider leaves empty values out, writes quantities its own way, and moves what a Secret
    holds. None of that is another object.
    """
    if sealed.get("kind") == "Secret":
        # All of it is masked in the one, and in another place in the other.
        sealed, written = (
            {name: value for name, value in secret.items() if name not in HOLDERS}
            for secret in (sealed, written)
        )
    return tuple(sorted(_unlike(sealed, written, "")))


def _unlike(sealed: Any, written: Any, path: str) -> Iterator[str]:
    if sealed in (written, UNKNOWN) or SECRET in (sealed, written) or not (sealed or written):
        return
    if isinstance(sealed, Mapping) and isinstance(written, Mapping):
        for key in sorted({*sealed, *written}):
            name = f'["{key}"]' if "." in key or "/" in key else f".{key}" if path else key
            yield from _unlike(sealed.get(key), written.get(key), f"{path}{name}")
    elif isinstance(sealed, list) and isinstance(written, list) and len(sealed) == len(written):
        for index, (one, other) in enumerate(zip(sealed, written, strict=True)):
            yield from _unlike(one, other, f"{path}[{index}]")
    elif not equal_quantities(path, sealed, written):
        yield path
