"""Every rendered object against the schema of its kind, for the clusters' version of Kubernetes.

Neither semantic checks of the API server's nor rules in CEL are made. Values that are secret are taken to be
what their place wants; those that are not known before `up` are said to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

from gate.rules.api_lifecycle import lifecycle
from gate.rules.schema.built_in import BuiltIn, built_in
from gate.rules.schema.custom import Definitions
from gate.rules.schema.objects import Object, Path, at, hidden, objects, render
from gate.rules.subject import Subject, failed, not_measurable, passed, undeclared
from report.model import SECRET, UNKNOWN, Finding, Rule

BUILT_IN = Rule(
    "schema/built-in",
    "Objects of Kubernetes' own kinds are what their version's schema says",
    "The API server refuses objects with wrong types, in the middle of an `up`. Mend the field that is "
    "named. The schemas are those of the minor version of Kubernetes in the stack file. Fields that a kind "
    "does not have are refused before that, by the program.",
)
CUSTOM = Rule(
    "schema/custom",
    "Custom resources are what their definitions say",
    "As for Kubernetes' own kinds, by the definitions in the same change. Rules in CEL are not evaluated: "
    "the API server does that.",
)
RULES = (BUILT_IN, CUSTOM)

_MOST = 5
"""Findings for one object; a wrong shape has many consequences."""


@dataclass
class _Seen:
    """What one distinct object was found to be; the same in another cluster has the same findings."""

    content: dict[str, Any]
    wrong: list[str]
    unknown: tuple[Path, ...]


_Known = dict[tuple[str, str, str, int], list[_Seen]]
"""What was checked, by kind, namespace, name and schema."""


@dataclass
class _Gap:
    """Something that could not be looked at, in several objects."""

    urn: str
    count: int = 1


@dataclass
class _Collected:
    found: dict[str, list[Finding]] = field(default_factory=lambda: {rule.id: [] for rule in RULES})
    gaps: dict[tuple[str, str], _Gap] = field(default_factory=dict)

    def gap(self, rule: Rule, why: str, urn: str) -> None:
        if (rule.id, why) in self.gaps:
            self.gaps[rule.id, why].count += 1
        else:
            self.gaps[rule.id, why] = _Gap(urn)


def findings(subject: Subject) -> list[Finding]:
    """What is wrong with the objects that there will be."""
    schemas, collected = _schemas(subject), _Collected()
    every = objects(subject.after)
    definitions = Definitions(every)
    seen: _Known = {}
    for entry in every:
        known = schemas.get(entry.resource.region, "the region that it is in is not declared")
        if isinstance(known, str):
            for rule in RULES:
                collected.gap(rule, known, entry.resource.urn)
            continue
        validator = known.validator(entry.group, entry.version, entry.kind)
        rule = BUILT_IN
        parts: list[tuple[Path, jsonschema_rs.Draft202012Validator]] = []
        if validator is not None:
            parts = [((), validator)]
        elif (defined := definitions.of(entry)) is not None:
            rule = CUSTOM
            if defined.validator is None:
                collected.gap(rule, defined.why_not, entry.resource.urn)
            else:
                parts = [((), defined.validator), (("metadata",), known.metadata())]
        elif lifecycle(entry.api_version, entry.kind) is None:
            # Of one that has ended, change/api-versions speaks.
            why = f"nothing here defines {entry.api_version} {entry.kind}"
            collected.gap(CUSTOM, why, entry.resource.urn)
        if parts:
            _say(entry, rule, _look(entry, parts, seen), collected)
    return _all(collected)


def _schemas(subject: Subject) -> dict[str, BuiltIn | str]:
    """By region, the schemas of its cluster's Kubernetes, or why there are none."""
    environment = subject.stack.environment
    found: dict[str, BuiltIn | str] = {}
    for region in environment.regions:
        version = environment.versions_of(region).kubernetes
        none = f"there are no schemas of Kubernetes {version}" if version else undeclared([region])
        found[region] = (built_in(version) if version else None) or none
    return found


def _look(
    entry: Object, parts: Sequence[tuple[Path, jsonschema_rs.Draft202012Validator]], seen: _Known
) -> _Seen:
    """Check an object, or find an equal one of another cluster that was, by the same schema."""
    content = entry.content
    metadata = content.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    key = (entry.kind, str(named.get("namespace")), str(named.get("name")), id(parts[0][1]))
    others = seen.setdefault(key, [])
    for other in others:
        if other.content == content:
            return other
    marks = dict(hidden(content))
    wrong: list[str] = []
    unseen: set[Path] = {path for path, mark in marks.items() if mark == UNKNOWN}
    for start, validator in parts:
        for error in validator.iter_errors(at(content, start) if start else content):
            path = (*start, *error.instance_path)
            covered = {mark for mark in marks if mark[: len(path)] == path}
            if covered and (path in marks or _is_choice(error)):
                # It may be right once the value is there; of a secret map, what it is made of cannot be seen.
                unseen |= {found for found in covered if not _is_secret_data(entry, found)}
            else:
                wrong.append(_words(path, error))
    made = _Seen(content, sorted(set(wrong)), tuple(sorted(unseen, key=str)))
    others.append(made)
    return made


def _is_choice(error: jsonschema_rs.ValidationError) -> bool:
    """Whether an error says only that none, or too many, of several schemas fit."""
    return bool(error.schema_path) and error.schema_path[-1] in ("anyOf", "oneOf", "not")


def _is_secret_data(entry: Object, path: Path) -> bool:
    return (
        entry.kind == "Secret" and path in (("data",), ("stringData",)) and at(entry.content, path) == SECRET
    )


def _words(path: Path, error: jsonschema_rs.ValidationError) -> str:
    where = render(path) or "the object"
    message = str(error.message)
    shown = message if len(message) <= 300 else f"{message[:297]}…"
    return f"{where}: {shown}"


def _say(entry: Object, rule: Rule, seen: _Seen, collected: _Collected) -> None:
    urn = entry.resource.urn
    for words in seen.wrong[:_MOST]:
        collected.found[rule.id].append(
            failed(rule, words, urn, fix=f"mend it: {entry.api_version} {entry.kind}")
        )
    if len(seen.wrong) > _MOST:
        collected.found[rule.id].append(failed(rule, f"and {len(seen.wrong) - _MOST} more problems", urn))
    if seen.unknown:
        places = sorted({_place(entry, path) for path in seen.unknown})
        why = f"{entry.kind}: not known before `up`: {', '.join(places)}"
        collected.gap(rule, why, urn)


def _place(entry: Object, path: Path) -> str:
    """A path without what differs from object to object, so that many have one finding."""
    if entry.kind == "Secret":
        return str(path[0])
    return render(path, index="*")


def _all(collected: _Collected) -> list[Finding]:
    made: list[Finding] = []
    for rule in RULES:
        said = collected.found[rule.id]
        for (id_, why), gap in sorted(collected.gaps.items()):
            if id_ == rule.id:
                also = f" ({gap.count} objects)" if gap.count > 1 else ""
                said.append(not_measurable(rule, f"{why}{also}", gap.urn))
        made += said or [passed(rule)]
    return made
