"""Schemas of Kubernetes' own kinds, by minor version, as the package `kubernetes-validate` carries them.

They are made from the OpenAPI document of each release; the strict ones refuse fields that there are not.
"""

from __future__ import annotations

import importlib.util
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from stacks.versions import minor

_PACKAGE = "kubernetes_validate"
_REFERENCE = "#/$defs/"
_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

Schema = dict[str, Any]


class BuiltIn:
    """The kinds of one version of Kubernetes. A kind's schema is compiled when it is first asked for."""

    def __init__(self, definitions: Schema) -> None:
        self._definitions = definitions
        self._names = {
            (kind["group"], kind["version"], kind["kind"]): name
            for name, schema in definitions.items()
            for kind in schema.get("x-kubernetes-group-version-kind") or ()
        }
        self._compiled: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def validator(self, group: str, version: str, kind: str) -> jsonschema_rs.Draft202012Validator | None:
        """What checks objects of a kind; None for kinds that are not Kubernetes' own."""
        name = self._names.get((group, version, kind))
        return None if name is None else self._compile(name)

    def metadata(self) -> jsonschema_rs.Draft202012Validator:
        """What checks the metadata that objects of all kinds have."""
        return self._compile(_METADATA)

    def _compile(self, name: str) -> jsonschema_rs.Draft202012Validator:
        if name not in self._compiled:
            schema = {"$ref": f"{_REFERENCE}{name}", "$defs": self._needed(name)}
            self._compiled[name] = jsonschema_rs.Draft202012Validator(schema, offline=True)
        return self._compiled[name]

    def _needed(self, name: str) -> Schema:
        """The definition and those that it leads to: a tenth of all, so a tenth of the time to compile."""
        needed: Schema = {}
        waiting = [name]
        while waiting:
            found = waiting.pop()
            if found not in needed:
                needed[found] = self._definitions[found]
                waiting += _references(needed[found])
        return needed


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for entry in schema for name in _references(entry)]
    if not isinstance(schema, dict):
        return []
    found = [name for entry in schema.values() for name in _references(entry)]
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith(_REFERENCE):
        found.append(reference.removeprefix(_REFERENCE))
    return found


@lru_cache
def built_in(kubernetes: str) -> BuiltIn | None:
    """The kinds of a version such as `1.34.3`; None where there are no schemas of that minor version."""
    # The package itself is not imported: it would bring another validator along for its file names.
    found = importlib.util.find_spec(_PACKAGE)
    places = found.submodule_search_locations if found is not None else None
    for place in places or ():
        directory = Path(place) / "kubernetes-json-schema" / f"v{minor(kubernetes)}.0-local-strict"
        file = directory / "_definitions.json"
        if file.is_file():
            return BuiltIn(json.loads(file.read_text())["$defs"])
    return None
