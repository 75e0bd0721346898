"""One object: what was applied against what is live. Pure.

Only what was applied counts: fields that nobody here set (defaults, status, others' labels) are no drift.
Three versions are compared, because the API server writes some values in another way than they were given
(`1000m` becomes `1`): the applied one, that one as the server had it right afterwards, and the live one.

The recorded one counts only where we owned the field then: after a refresh, the state has whatever was there.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gate.changes import below as below
from live.drift.ownership import Fields, by_keys, fields_of, merge_keys
from live.state import Sealed, has_secret, opened
from report.model import SECRET
from stacks.quantities import equal_quantities

_NOT_THERE = object()
_NOT_KNOWN = object()
"""Stands for what the server had where that is not recorded."""
_ATOMIC = Fields()
"""Stands for all that is inside of an atomic value."""
_NEVER_COMPARED = frozenset({"apiVersion", "kind", "status"})
_MAPPED_PREFIX = "x_kubernetes_"
"""The engine's state has the keys `x-kubernetes-…` of schemas with underscores."""


@dataclass(frozen=True)
class Difference:
    """A field that is not as it was applied; None: it is not there. Secrets are masked already."""

    path: str
    applied: Any
    live: Any
    managers: tuple[str, ...] = ()
    """Who else owns the field now, sorted; empty when nobody says so."""


def compare(
    inputs: Mapping[str, Any],
    recorded: Mapping[str, Any] | None,
    live: Mapping[str, Any],
    *,
    own_manager: str,
) -> tuple[Difference, ...]:
    """Where a live object differs from what was applied.

    inputs: the object as it was declared. recorded: as the server had it after that, where it is known.
    own_manager: the field manager of those who applied it, who is no news.
    """
    declared = stored_form(inputs)
    known = None if recorded is None else opened(stored_form(recorded))
    fields = fields_of(live, known)
    walk = _Walk(own_manager)
    found: list[Difference] = []
    for key in sorted(declared.keys() - _NEVER_COMPARED):
        place = _Place(fields and fields.key(key), secret=key == "data" and declared.get("kind") == "Secret")
        then = _NOT_KNOWN if known is None else _at(known, key)
        found += walk.value(key, declared[key], then, _at(live, key), place)
    return tuple(found)


def stored_form(value: Mapping[str, Any]) -> dict[str, Any]:
    """An object as the API server keeps it: schema keys with hyphens, a Secret's texts encoded."""
    found: dict[str, Any] = _hyphenated(value)
    if found.get("kind") == "Secret" and "stringData" in found:
        texts = opened(found.pop("stringData")) or {}
        encoded = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
        found["data"] = {**(opened(found.get("data")) or {}), **encoded}
    return found


@dataclass(frozen=True)
class _Place:
    """What is known of the spot that is compared."""

    fields: Fields | None
    """None: nobody says anything about it."""
    secret: bool = False
    holders: frozenset[str] = frozenset()
    """Who owns the atomic value that it is in."""

    @property
    def atomic(self) -> bool:
        return self.fields is not None and self.fields.atomic

    @property
    def managers(self) -> frozenset[str]:
        own = frozenset(self.fields.managers) if self.fields else frozenset()
        return own or self.holders

    def was_of(self, manager: str) -> bool:
        """Whether the manager, and not only others, owned the field when it was recorded."""
        then = self.fields.managers_then if self.fields else None
        return not then or manager in then

    def is_lost_by(self, manager: str) -> bool:
        """Whether only others own the field now."""
        return bool(self.managers) and manager not in self.managers

    def hidden(self) -> _Place:
        return replace(self, secret=True)

    def key(self, name: str) -> _Place:
        return self._inside(self.fields and self.fields.key(name))

    def element(self, value: Any) -> _Place:
        return self._inside(self.fields and self.fields.element(value))

    def _inside(self, fields: Fields | None) -> _Place:
        if self.atomic:
            return _Place(_ATOMIC, self.secret, self.managers)
        return _Place(fields, self.secret)


@dataclass(frozen=True)
class _Walk:
    own_manager: str

    def value(self, path: str, applied: Any, recorded: Any, live: Any, place: _Place) -> list[Difference]:
        if isinstance(applied, Sealed):
            applied, place = applied.value, place.hidden()
        if place.fields is None or place.atomic:
            # It is one value, or nobody says anything about it.
            recorded = recorded if place.was_of(self.own_manager) else _NOT_KNOWN
            if _identical(recorded, live):
                return []
        # A null asks for nothing.
        if applied is None:
            return []
        if live is _NOT_THERE:
            left_out = recorded is _NOT_THERE or (recorded is _NOT_KNOWN and _is_empty(applied))
            return [] if left_out else [self._difference(path, applied, None, place)]
        if isinstance(applied, Mapping) and isinstance(live, Mapping):
            return list(self._map(path, applied, recorded, live, place))
        if isinstance(applied, list) and isinstance(live, list):
            return list(self._list(path, applied, recorded, live, place))
        if _identical(applied, live) or equal_quantities(path, applied, live):
            return []
        return [self._difference(path, applied, live, place)]

    def _map(
        self, path: str, applied: Mapping[str, Any], recorded: Any, live: Mapping[str, Any], place: _Place
    ) -> Iterator[Difference]:
        for key in sorted(applied):
            then = _at(recorded, key) if isinstance(recorded, Mapping) else recorded
            yield from self.value(below(path, key), applied[key], then, _at(live, key), place.key(key))
        if not place.atomic:
            return
        # The server's own additions were there when it was recorded; where that is not known, somebody else
        # must have taken the value over.
        if isinstance(recorded, Mapping):
            known = {*applied, *recorded}
        elif place.fields is not _ATOMIC and place.is_lost_by(self.own_manager):
            known = {*applied}
        else:
            return
        besides = place.hidden() if has_secret(applied) else place
        for key in sorted({*live} - known):
            if not _is_empty(live[key]):
                yield self._difference(below(path, key), None, live[key], besides)

    def _list(
        self, path: str, applied: list[Any], recorded: Any, live: list[Any], place: _Place
    ) -> Iterator[Difference]:
        keys = merge_keys(place.fields, [*applied, *live])
        added: list[Any] = []
        if place.fields is not None and place.fields.is_set:
            then: list[Any] = [_NOT_KNOWN] * len(applied)
            now: list[Any] = [wanted if opened(wanted) in live else _NOT_THERE for wanted in applied]
        elif keys:
            now = by_keys(applied, live, keys, _NOT_THERE)
            then = (
                by_keys(applied, recorded, keys, _NOT_THERE)
                if isinstance(recorded, list)
                else [recorded] * len(applied)
            )
        else:
            same_length = isinstance(recorded, list) and len(recorded) == len(applied)
            then = list(recorded) if same_length else [_NOT_KNOWN] * len(applied)
            now, added = self._in_order(path, applied, then, live, place)
        for index, wanted in enumerate(applied):
            spot = place.element(wanted if now[index] is _NOT_THERE else now[index])
            yield from self.value(f"{path}[{index}]", wanted, then[index], now[index], spot)
        besides = place.hidden() if has_secret(applied) else place
        for number, found in enumerate(added):
            yield self._difference(f"{path}[{len(applied) + number}]", None, found, besides)

    def _in_order(
        self, path: str, applied: list[Any], recorded: list[Any], live: list[Any], place: _Place
    ) -> tuple[list[Any], list[Any]]:
        """For each applied element the live one in its place, and those that were put in besides."""
        if len(applied) == len(live):
            return list(live), []
        # Something came or went: what is left of the others is found by what it is.
        left, now = list(live), []
        for wanted, then in zip(applied, recorded, strict=True):
            found = next(
                (entry for entry in left if not self.value(path, wanted, then, entry, place.element(entry))),
                _NOT_THERE,
            )
            if found is not _NOT_THERE:
                left.remove(found)
            now.append(found)
        return now, left

    def _difference(self, path: str, applied: Any, live: Any, place: _Place) -> Difference:
        if place.secret or has_secret(applied):
            applied, live = (None if value is None else SECRET for value in (applied, live))
        return Difference(path, applied, live, tuple(sorted(place.managers - {self.own_manager})))


def _at(value: Mapping[str, Any], key: str) -> Any:
    return value.get(key, _NOT_THERE)


def _hyphenated(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key.replace("_", "-") if key.startswith(_MAPPED_PREFIX) else key: _hyphenated(entry)
            for key, entry in value.items()
        }
    if isinstance(value, Sealed):
        return Sealed(_hyphenated(value.value))
    return [_hyphenated(entry) for entry in value] if isinstance(value, list) else value


def _is_empty(value: Any) -> bool:
    """Whether the API server may leave it out, as it does with zero values of its own types."""
    value = opened(value)
    if isinstance(value, Mapping):
        return all(map(_is_empty, value.values()))
    return value in (None, "", 0, False, [])


def _identical(one: Any, other: Any) -> bool:
    """Equality in which true is not 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_identical(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_identical, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
