"""What checks objects of Kubernetes' own kinds. The strict schemas refuse fields that there are not."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jsonschema_rs

from components.kinds import REFERENCE, Kinds, Schema, kinds

_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


class BuiltIn:
    """The kinds of one version of Kubernetes. A kind's schema is compiled when it is first asked for."""

    def __init__(self, known: Kinds) -> None:
        self._kinds = known
        self._compiled: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def validator(self, group: str, version: str, kind: str) -> jsonschema_rs.Draft202012Validator | None:
        """What checks objects of a kind; None for kinds that are not Kubernetes' own."""
        name = self._kinds.name(group, version, kind)
        return None if name is None else self._compile(name)

    def metadata(self) -> jsonschema_rs.Draft202012Validator:
        """What checks the metadata that objects of all kinds have."""
        return self._compile(_METADATA)

    def _compile(self, name: str) -> jsonschema_rs.Draft202012Validator:
        if name not in self._compiled:
            schema = {"$ref": f"{REFERENCE}{name}", "$defs": self._needed(name)}
            self._compiled[name] = jsonschema_rs.Draft202012Validator(schema, offline=True)
        return self._compiled[name]

    def _needed(self, name: str) -> Schema:
        """The definition and those that it leads to: a tenth of all, so a tenth of the time to compile."""
        needed: Schema = {}
        waiting = [name]
        while waiting:
            found = waiting.pop()
            if found not in needed:
                needed[found] = self._kinds.definitions[found]
                waiting += _references(needed[found])
        return needed


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for entry in schema for name in _references(entry)]
    if not isinstance(schema, dict):
        return []
    found = [name for entry in schema.values() for name in _references(entry)]
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith(REFERENCE):
        found.append(reference.removeprefix(REFERENCE))
    return found


@lru_cache
def built_in(kubernetes: str) -> BuiltIn | None:
    """The kinds of a version such as `1.34.3`; None where there are no schemas of that minor version."""
    known = kinds(kubernetes)
    return None if known is None else BuiltIn(known)
