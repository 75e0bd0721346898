"""Taints as they are declared of a node: the value of each, empty for none, by its `key:effect`.

A node has one of each key and effect. All others are somebody else's: Kubernetes' own controllers put the
conditions of a node among them, operators what they like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Taints = Mapping[str, str]


def by_identity(taints: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Taints as Kubernetes lists them."""
    return {f"{taint['key']}:{taint['effect']}": str(taint.get("value") or "") for taint in taints}


def of_node(node: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The list that a Node has; empty for one that is not there."""
    return list(((node or {}).get("spec") or {}).get("taints") or ())


def live(node: Mapping[str, Any] | None, declared: Iterable[str]) -> dict[str, str]:
    """Those of the declared ones that a Node has, as it has them."""
    found = by_identity(of_node(node))
    return {taint: found[taint] for taint in declared if taint in found}


def rewritten(listed: Iterable[Mapping[str, Any]], put: Taints, take: Iterable[str]) -> list[dict[str, Any]]:
    """A Node's list with some taints put in, others taken out, and all the rest as it is.

    One that is there with the wanted value stays as well, with the time at which it was added.
    """
    own: dict[str, str | None] = {**dict.fromkeys(take), **put}
    kept = []
    for taint in listed:
        ((identity, value),) = by_identity([taint]).items()
        if own.get(identity, value) == value:
            kept.append(dict(taint))
    there = by_identity(kept)
    return [*kept, *(_listed(identity, value) for identity, value in put.items() if identity not in there)]


def words(taints: Taints) -> str:
    """Taints as `kubectl taint` takes them; `none` for none."""
    told = []
    for identity, value in sorted(taints.items()):
        key, _, effect = identity.rpartition(":")
        told.append(f"{key}{f'={value}' if value else ''}:{effect}")
    return ", ".join(told) or "none"


def _listed(identity: str, value: str) -> dict[str, Any]:
    key, _, effect = identity.rpartition(":")
    return {"key": key, **({"value": value} if value else {}), "effect": effect}
