"""Which element of one list stands for which of another, where elements are told apart by keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from live.drift.ownership import Fields
from live.state import opened


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


def _has(value: Any, wanted: Mapping[str, Any]) -> bool:
    return isinstance(value, Mapping) and all(value.get(key) == wanted[key] for key in wanted)
