"""Every rendered object against the schema of its kind, for the clusters' version of Kubernetes.

Neither semantic checks of the API server's nor rules in CEL are made. Values that are secret are taken to be
what their place wants; those that are not known before `up` are said to be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
from jsonschema_rs import Draft202012Validator as Validator

from gate.effects.scene import metadata
from gate.rules.schema.objects import Object, hidden, objects
from gate.rules.schema.validators import BuiltIn, Definitions, built_in
from gate.rules.subject import Subject, failed, not_measurable, passed, undeclared
from releases import served
from releases.served import Served
from report.masking import HOLDERS
from report.model import SECRET, UNKNOWN, Finding, Rule
from stacks.errors import KeyPath, joined, value_at

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
    unknown: tuple[KeyPath, ...]


_Parts = list[tuple[KeyPath, Validator]]
"""What checks an object, or what lies at a path in it."""
_Known = dict[tuple[str, str, str, int], list[_Seen]]
"""What was checked, by kind, namespace, name and schema."""


def findings(subject: Subject) -> list[Finding]:
    """What is wrong with the objects that there will be."""
    schemas, every = _schemas(subject), objects(subject.after)
    definitions = Definitions(every)
    seen: _Known = {}
    found: dict[str, list[Finding]] = {rule.id: [] for rule in RULES}
    gaps: dict[tuple[str, str], list[str]] = {}
    for entry in every:
        known = schemas.get(entry.region, "the region that it is in is not declared")
        for rule, said in _examined(entry, known, definitions, seen):
            if isinstance(said, Finding):
                found[rule.id].append(said)
            else:
                gaps.setdefault((rule.id, said), []).append(entry.resource.urn)
    for rule in RULES:
        for (id_, why), urns in sorted(gaps.items()):
            if id_ == rule.id:
                also = f" ({len(urns)} objects)" if len(urns) > 1 else ""
                found[id_].append(not_measurable(rule, f"{why}{also}", urns[0]))
    return [finding for rule in RULES for finding in found[rule.id] or [passed(rule)]]


def _examined(
    entry: Object, known: BuiltIn | str, definitions: Definitions, seen: _Known
) -> Iterator[tuple[Rule, Finding | str]]:
    """What is wrong with an object; as text, what of it cannot be looked at."""
    if isinstance(known, str):
        yield from ((rule, known) for rule in RULES)
    elif validator := known.validator(entry.group, entry.version, entry.kind):
        yield from _say(entry, BUILT_IN, _look(entry, [((), validator)], seen))
    elif isinstance(defined := definitions.of(entry), str):
        yield CUSTOM, defined
    elif defined is not None:
        parts: _Parts = [((), defined), (("metadata",), known.metadata())]
        yield from _say(entry, CUSTOM, _look(entry, parts, seen))
    elif not _is_refused(known, entry):
        yield CUSTOM, f"nothing here defines {entry.api_version} {entry.kind}"


def _is_refused(known: BuiltIn, entry: Object) -> bool:
    """Whether the API server serves no such kind, of which change/api-versions speaks."""
    found = served.standing(known.kubernetes, entry.api_version, entry.kind)
    return found is not None and found.served is not Served.BY_DEFAULT


def _schemas(subject: Subject) -> dict[str, BuiltIn | str]:
    """By region, the schemas of its cluster's Kubernetes, or why there are none."""
    environment = subject.stack.environment
    found: dict[str, BuiltIn | str] = {}
    for region in environment.regions:
        version = environment.versions_of(region).kubernetes
        none = f"there are no schemas of Kubernetes {version}" if version else undeclared([region])
        found[region] = (built_in(version) if version else None) or none
    return found


def _look(entry: Object, parts: _Parts, seen: _Known) -> _Seen:
    """Check an object, or find an equal one of another cluster that was, by the same schema."""
    content = entry.content
    named = metadata(entry.resource)
    key = (entry.kind, str(named.get("namespace")), str(named.get("name")), id(parts[0][1]))
    others = seen.setdefault(key, [])
    for other in others:
        if other.content == content:
            return other
    marks = dict(hidden(content))
    wrong: list[str] = []
    unseen: set[KeyPath] = {path for path, mark in marks.items() if mark == UNKNOWN}
    for start, validator in parts:
        for error in validator.iter_errors(value_at(content, start)):
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


def _is_secret_data(entry: Object, path: KeyPath) -> bool:
    is_holder = entry.kind == "Secret" and path in [(holder,) for holder in HOLDERS]
    return is_holder and value_at(entry.content, path) == SECRET


def _words(path: KeyPath, error: jsonschema_rs.ValidationError) -> str:
    shown = error.message if len(error.message) <= 300 else f"{error.message[:297]}…"
    return f"{joined(path) or 'the object'}: {shown}"


def _say(entry: Object, rule: Rule, seen: _Seen) -> Iterator[tuple[Rule, Finding | str]]:
    urn = entry.resource.urn
    for words in seen.wrong[:_MOST]:
        yield rule, failed(rule, words, urn, fix=f"mend it: {entry.api_version} {entry.kind}")
    if len(seen.wrong) > _MOST:
        yield rule, failed(rule, f"and {len(seen.wrong) - _MOST} more problems", urn)
    if seen.unknown:
        places = sorted({_place(entry, path) for path in seen.unknown})
        yield rule, f"{entry.kind}: not known before `up`: {', '.join(places)}"


def _place(entry: Object, path: KeyPath) -> str:
    """A path without what differs from object to object, so that many have one finding."""
    if entry.kind == "Secret":
        return str(path[0])
    return joined(path, index="*")
