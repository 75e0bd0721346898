"""Bounds of definitions fit their formats, which Kubernetes 1.36 and later hold objects to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gate.rules.change.strict_addresses import since_strict
from gate.rules.schema.objects import objects
from gate.rules.subject import Check, Subject, failed
from report.model import Finding, Rule, Severity
from stacks.errors import KeyPath, joined

RULE = Rule(
    "change/definition-bounds",
    "Bounds of definitions fit their formats, which Kubernetes 1.36 and later hold objects to",
    "From 1.36 on API servers hold a field's bounds to its format: where a maximum is beyond `int32`, they "
    "take the definition and refuse every object that has the field. Earlier ones did not look. An error "
    "where the change has objects of the kind, a warning otherwise: whoever makes one is refused. By the "
    "validation of schemas in the source of 1.36.3; seen with MetalLB 0.15 on 1.37.1.",
)

_BITS = {"int32": 32}
"""Of formats of integers; of any other, and of none, 64."""
_FIX = "bring a release of it whose bounds fit their formats, before the cluster is upgraded"
_BOUNDS = ("maximum", "minimum", "multipleOf")


def _find(subject: Subject) -> Iterator[Finding]:
    strict = since_strict(subject.stack.environment)
    every = [entry for entry in objects(subject.after) if entry.region in strict]
    made = {(entry.cluster, entry.group, entry.kind) for entry in every}
    for entry in every:
        spec = entry.content.get("spec")
        if entry.kind != "CustomResourceDefinition" or not isinstance(spec, Mapping):
            continue
        kind = (spec.get("names") or {}).get("kind")
        severity = None if (entry.cluster, spec.get("group"), kind) in made else Severity.WARNING
        for version in spec.get("versions") or ():
            for path, misfit in _misfits((version.get("schema") or {}).get("openAPIV3Schema")):
                words = f"{version.get('name')} {joined(path)} {misfit}"
                words += f": Kubernetes {strict[entry.region]} refuses every {kind} that has it"
                yield failed(RULE, words, entry.resource.urn, fix=_FIX, severity=severity)


def _misfits(schema: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Fields below a schema whose bounds do not fit, each with words for it."""
    if not isinstance(schema, Mapping):
        return
    if schema.get("type") == "integer":
        bits = _BITS.get(schema.get("format", ""), 64)
        for bound in _BOUNDS:
            value = schema.get(bound)
            if isinstance(value, int | float) and not (
                value == int(value) and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)
            ):
                yield path, f"has {bound} {value}, which is no int{bits}"
    for name, entry in (schema.get("properties") or {}).items():
        yield from _misfits(entry, (*path, name))
    for key in ("items", "additionalProperties"):
        yield from _misfits(schema.get(key), path)


CHECK = Check("clusters", RULE, _find)
