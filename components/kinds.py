"""Kubernetes' own kinds and their fields, by minor version, as `kubernetes-validate` carries them.

What a declared object has beyond them is refused: the Kubernetes provider leaves such a field out without a
word, so that neither a preview nor the API server would tell of it.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from components.manifests import Manifest
from releases import minor

_PACKAGE = "kubernetes_validate"
REFERENCE = "#/$defs/"
"""How schemas refer to each other; a name follows."""

Schema = dict[str, Any]


class UnknownFieldError(Exception):
    """An object has fields that its kind does not have. Says which object, which fields, and what is near."""


class Kinds:
    """The kinds of one version of Kubernetes."""

    def __init__(self, kubernetes: str, definitions: dict[str, Schema]) -> None:
        self.kubernetes = kubernetes
        self.definitions = definitions
        """JSON schemas by their name in the OpenAPI document."""
        self._names = {
            (kind["group"], kind["version"], kind["kind"]): name
            for name, schema in definitions.items()
            for kind in schema.get("x-kubernetes-group-version-kind") or ()
        }

    def name(self, group: str, version: str, kind: str) -> str | None:
        """The name of a kind's schema; None for kinds that are not Kubernetes' own. The core's group: ''."""
        return self._names.get((group, version, kind))

    def require_known_fields(self, manifest: Manifest) -> None:
        """Raise `UnknownFieldError` if the object has fields that its kind does not have.

        Values are not looked at, and what is known late is passed over. Custom kinds have their definitions,
        which the API server holds them to.
        """
        group, _, version = str(manifest["apiVersion"]).rpartition("/")
        name = self.name(group, version, str(manifest["kind"]))
        if name is None:
            return
        found = list(self._unknown(manifest, self.definitions[name], ""))
        if found:
            raise UnknownFieldError(self._words(manifest, found))

    def _unknown(self, value: Any, schema: Schema, path: str) -> Iterator[tuple[str, list[str]]]:
        """Paths of unknown fields, each with the fields that there are in its place."""
        reference = schema.get("$ref")
        if reference is not None:
            schema = self.definitions[reference[len(REFERENCE) :]]
        if isinstance(value, list):
            items = schema.get("items") or {}
            for index, entry in enumerate(value):
                if isinstance(entry, (dict, list)):
                    yield from self._unknown(entry, items, f"{path}[{index}]")
        elif isinstance(value, dict):
            fields, others = schema.get("properties") or {}, schema.get("additionalProperties")
            for key, entry in value.items():
                inner = fields.get(key, others)
                if inner is False:
                    yield f"{path}.{key}".removeprefix("."), list(fields)
                elif isinstance(inner, dict) and isinstance(entry, (dict, list)):
                    yield from self._unknown(entry, inner, f"{path}.{key}")

    def _words(self, manifest: Manifest, found: list[tuple[str, list[str]]]) -> str:
        metadata = manifest["metadata"]
        where = "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)
        what = f"{manifest['apiVersion']} {manifest['kind']} {where}"
        lines = [f"{what} has what Kubernetes {minor(self.kubernetes)} does not know:"]
        for path, there in found:
            near = difflib.get_close_matches(path.rpartition(".")[2], there, n=1)
            meant = f"; is {near[0]} meant?" if near else ""
            lines.append(f"  {path}: no such field{meant}")
        return "\n".join([*lines, "It would be left out without a word. Mend what builds the object."])


@lru_cache
def kinds(kubernetes: str) -> Kinds | None:
    """The kinds of a version such as `1.35.3`; None where there are no schemas of that minor version."""
    # The package itself is not imported: it would bring a validator along for its file names.
    found = importlib.util.find_spec(_PACKAGE)
    places = found.submodule_search_locations if found is not None else None
    for place in places or ():
        directory = Path(place) / "kubernetes-json-schema" / f"v{minor(kubernetes)}.0-local-strict"
        file = directory / "_definitions.json"
        if file.is_file():
            return Kinds(kubernetes, json.loads(file.read_text())["$defs"])
    return None
