"""Who owns which field of an object, and how its lists are merged: what server-side apply writes down.

Every entry in `metadata.managedFields` names fields as a tree: `f:spec` is a key, `k:{"name":"a"}` an
element of a list that is merged by these keys, `v:"x"` an element of a set. A list or map that is one value
(atomic) ends the tree. So together the entries tell what no schema is needed for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from live.state import opened


@dataclass
class Fields:
    """A field, as the entries of all managers together describe it."""

    children: dict[str, Fields] = field(default_factory=dict)
    managers: set[str] = field(default_factory=set)
    """Who owns it itself in the live object, not only something in it."""
    managers_then: set[str] = field(default_factory=set)
    """Who owned it when the object was recorded."""

    @property
    def atomic(self) -> bool:
        """Whether it is one value: nobody owns a part of it."""
        return not self.children

    @property
    def merge_keys(self) -> tuple[str, ...]:
        """The keys by which its elements are told apart, if it is a list that is merged by some."""
        element = next((child for child in self.children if child.startswith("k:")), None)
        return tuple(json.loads(element[2:])) if element else ()

    @property
    def is_set(self) -> bool:
        """Whether it is a list in which each value stands once, in no order."""
        return any(child.startswith("v:") for child in self.children)

    def key(self, name: str) -> Fields | None:
        """A key of a map."""
        return self.children.get(f"f:{name}")

    def element(self, value: Any) -> Fields | None:
        """An element of a list that is merged by keys."""
        for child, fields in self.children.items():
            if child.startswith("k:") and _has(value, json.loads(child[2:])):
                return fields
        return None


def fields_of(live: Mapping[str, Any], applied: Mapping[str, Any] | None = None) -> Fields | None:
    """An object's fields; None if nothing is known. applied: as the server had it after that."""
    root = Fields()
    for version, now in ((live, True), (applied or {}, False)):
        for entry in (version.get("metadata") or {}).get("managedFields") or ():
            _add(root, entry.get("fieldsV1") or {}, str(entry.get("manager") or ""), now=now)
    return root if root.children else None


def merge_keys(fields: Fields | None, elements: Iterable[Any]) -> tuple[str, ...]:
    """The keys by which a list's elements are told apart; empty where it is one value."""
    if fields is not None:
        return fields.merge_keys
    # Nobody says how it is merged: most lists of named things are merged by their names.
    named = all(isinstance(element, Mapping) and "name" in element for element in elements)
    return ("name",) if named else ()


def by_keys(applied: list[Any], others: list[Any], keys: tuple[str, ...], missing: Any) -> list[Any]:
    """For each applied element the other one of the same keys, else `missing`.

    A key that an applied element leaves out has the server's default there.
    """

    def key_of(index: int) -> dict[str, Any]:
        value = opened(applied[index])
        return {key: value[key] for key in keys if key in value} if isinstance(value, Mapping) else {}

    left = list(others)
    pairs: dict[int, Any] = {}
    # Those that say most about themselves choose first: what is left over for the others is theirs.
    for index in sorted(range(len(applied)), key=lambda index: -len(key_of(index))):
        wanted = key_of(index)
        other = next((entry for entry in left if wanted and _has(entry, wanted)), missing)
        if other is not missing:
            left.remove(other)
        pairs[index] = other
    return [pairs[index] for index in range(len(applied))]


def managers_of(live: Mapping[str, Any]) -> Iterator[str]:
    """Names of all that own fields of an object, its status apart."""
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        if not entry.get("subresource"):
            yield str(entry.get("manager") or "")


def _add(node: Fields, tree: Mapping[str, Any], manager: str, *, now: bool) -> None:
    for key, below in tree.items():
        child = node if key == "." else node.children.setdefault(key, Fields())
        if not below:
            (child.managers if now else child.managers_then).add(manager)
        _add(child, below, manager, now=now)


def _has(value: Any, keys: Mapping[str, Any]) -> bool:
    return isinstance(value, Mapping) and all(value.get(key) == wanted for key, wanted in keys.items())
