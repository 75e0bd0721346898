"""Schemas of custom resources, from the definitions that are in the same change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from gate.rules.schema.objects import Object, at
from gate.rules.schema.structural import of_object
from policies.objects import MALFORMED

DEFINITION = "CustomResourceDefinition"


@dataclass(frozen=True)
class Defined:
    """How objects of a kind are checked; `why_not`: why they cannot be."""

    validator: jsonschema_rs.Draft202012Validator | None
    why_not: str = ""


class Definitions:
    """The custom kinds of each cluster. Equal definitions of several clusters are compiled once."""

    def __init__(self, found: Sequence[Object]) -> None:
        self._specs: dict[tuple[str, str, str], dict[str, Any]] = {}
        for entry in found:
            if entry.kind == DEFINITION:
                spec = entry.content.get("spec")
                if isinstance(spec, dict):
                    kind = at(spec, ("names", "kind"))
                    self._specs[entry.cluster, str(spec.get("group")), str(kind)] = spec
        self._known: dict[tuple[str, str, str], list[tuple[dict[str, Any], Defined]]] = {}

    def of(self, entry: Object) -> Defined | None:
        """How to check an object; None where nothing in its cluster defines its kind."""
        spec = self._specs.get((entry.cluster, entry.group, entry.kind))
        if spec is None:
            return None
        known = self._known.setdefault((entry.group, entry.kind, entry.version), [])
        for other, defined in known:
            # By identity first: comparing long definitions for each object would take most of the time.
            if other is spec or other == spec:
                self._specs[entry.cluster, entry.group, entry.kind] = other
                return defined
        defined = _defined(spec, entry)
        known.append((spec, defined))
        return defined


def _defined(spec: dict[str, Any], entry: Object) -> Defined:
    versions = spec.get("versions")
    named = (
        [found for found in versions if at(found, ("name",)) == entry.version]
        if isinstance(versions, list)
        else []
    )
    if not named:
        return Defined(None, f"the definition of {entry.kind} has no version {entry.version}")
    schema = at(named[0], ("schema", "openAPIV3Schema"))
    if not isinstance(schema, dict):
        return Defined(None, f"the definition of {entry.api_version} {entry.kind} has no schema")
    try:
        return Defined(jsonschema_rs.Draft202012Validator(of_object(schema), offline=True))
    except (jsonschema_rs.ValidationError, *MALFORMED) as error:
        return Defined(None, f"the schema of {entry.api_version} {entry.kind} cannot be used: {error}")
