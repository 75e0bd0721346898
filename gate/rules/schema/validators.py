"""What checks objects: of Kubernetes' own kinds their schemas, which refuse fields that there are not; of
custom kinds the definitions that are in the same change.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jsonschema_rs
from jsonschema_rs import Draft202012Validator as Validator

from components.kinds import Kinds, kinds
from gate.rules.schema.objects import Object
from gate.rules.schema.structural import of_object
from policies.objects import MALFORMED
from stacks.errors import value_at

_ALL = "urn:kubernetes"
_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_DEFINITION = "CustomResourceDefinition"


class BuiltIn:
    """The kinds of one version of Kubernetes. A kind's schema is compiled when it is first asked for."""

    def __init__(self, known: Kinds) -> None:
        self._kinds = known
        self.kubernetes = known.kubernetes
        self._registry = jsonschema_rs.Registry([(_ALL, {"$defs": known.definitions})])
        self._compiled: dict[str, Validator] = {}

    def validator(self, group: str, version: str, kind: str) -> Validator | None:
        """What checks objects of a kind; None for kinds that are not Kubernetes' own."""
        name = self._kinds.name(group, version, kind)
        return None if name is None else self._compile(name)

    def metadata(self) -> Validator:
        """What checks the metadata that objects of all kinds have."""
        return self._compile(_METADATA)

    def _compile(self, name: str) -> Validator:
        if name not in self._compiled:
            schema = {"$ref": f"{_ALL}#/$defs/{name}"}
            self._compiled[name] = Validator(schema, registry=self._registry, offline=True)
        return self._compiled[name]


@lru_cache
def built_in(kubernetes: str) -> BuiltIn | None:
    """The kinds of a version such as `1.35.3`; None where there are no schemas of that minor version."""
    known = kinds(kubernetes)
    return None if known is None else BuiltIn(known)


class Definitions:
    """The custom kinds of each cluster. Equal definitions of several clusters are compiled once."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self._specs: dict[tuple[str, str, str], Any] = {}
        for entry in objects:
            spec = entry.content.get("spec")
            if entry.kind == _DEFINITION and isinstance(spec, dict):
                kind = value_at(spec, ("names", "kind"))
                self._specs[entry.cluster, str(spec.get("group")), str(kind)] = spec
        self._known: dict[tuple[str, str, str, str], Validator | str] = {}
        self._compiled: dict[tuple[str, str, str], list[tuple[Any, Validator | str]]] = {}

    def of(self, entry: Object) -> Validator | str | None:
        """What checks an object, or why it cannot be; None where nothing in its cluster defines it."""
        spec = self._specs.get((entry.cluster, entry.group, entry.kind))
        if spec is None:
            return None
        key = (entry.cluster, entry.group, entry.kind, entry.version)
        # Definitions are long: they are compared once for each cluster.
        if key not in self._known:
            compiled = self._compiled.setdefault(key[1:], [])
            if not (same := [validator for other, validator in compiled if other == spec]):
                same = [_compiled(spec, entry)]
                compiled.append((spec, same[0]))
            self._known[key] = same[0]
        return self._known[key]


def _compiled(spec: dict[str, Any], entry: Object) -> Validator | str:
    versions = spec.get("versions")
    named = [
        version
        for version in (versions if isinstance(versions, list) else ())
        if value_at(version, ("name",)) == entry.version
    ]
    if not named:
        return f"the definition of {entry.kind} has no version {entry.version}"
    schema = value_at(named[0], ("schema", "openAPIV3Schema"))
    if not isinstance(schema, dict):
        return f"the definition of {entry.api_version} {entry.kind} has no schema"
    try:
        return Validator(of_object(schema), offline=True)
    except (jsonschema_rs.ValidationError, *MALFORMED) as error:
        return f"the schema of {entry.api_version} {entry.kind} cannot be used: {error}"
