"""The engine's plan, without what it would take for a deviation although nothing deviates.

The Kubernetes provider gives an object its final form (no empty values, a Secret's `stringData` in `data`,
all of that a secret) only where it knows its cluster and every value. In a preview it may know neither, and
the engine would refuse the final form, and print values of secrets to say why. Such objects' values are left
open in the plan, and compared by `gate.seal.steps` as the engine comes to them. Everything else about
them stays: what is done, names and metadata, parents, dependencies, options.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from report.masking import HOLDERS, SECRET_TYPE, SIGNATURE
from report.model import UNKNOWN

_KUBERNETES = "kubernetes:"
_KEPT = frozenset({"apiVersion", "kind", "metadata"})
_STILL = frozenset({"same", "read", "refresh"})
"""Steps of resources whose outputs are known already."""


@dataclass(frozen=True)
class Amended:
    """A plan for the engine, and what it leaves open."""

    plan: Mapping[str, Any]
    opened: frozenset[str]
    """URNs of the objects whose values are left open."""


def amended(plan: Mapping[str, Any]) -> Amended:
    """The plan with values left open of the objects that may have no final form before they are written."""
    resources: Mapping[str, Any] = plan.get("resourcePlans") or {}
    changing = frozenset(
        urn for urn, found in resources.items() if not _STILL.issuperset(found.get("steps") or ())
    )
    opened = {
        urn: _opened(found) for urn, found in resources.items() if _is_unsettled(found, resources, changing)
    }
    return Amended({**plan, "resourcePlans": {**resources, **opened}}, frozenset(opened))


def _is_unsettled(
    resource: Mapping[str, Any], resources: Mapping[str, Any], changing: frozenset[str]
) -> bool:
    """Whether the provider may give the object another form than the plan has."""
    goal = resource.get("goal") or {}
    if not str(goal.get("type")).startswith(_KUBERNETES):
        return False
    provider = resources.get(str(goal.get("provider")).rpartition("::")[0]) or {}
    # The engine asks no provider whose settings are not known yet.
    return _is_open(provider.get("goal") or {}, changing) or _is_open(goal, changing)


def _is_open(goal: Mapping[str, Any], changing: frozenset[str]) -> bool:
    """Whether a property may not have been known.

    Of a secret that cannot be seen. But what was not known comes from a resource that changes.
    """
    diff = goal.get("inputDiff") or {}
    dependencies = goal.get("propertyDependencies") or {}
    for name, value in {**(diff.get("adds") or {}), **(diff.get("updates") or {})}.items():
        text = json.dumps(value)
        if UNKNOWN in text or (SIGNATURE in text and not changing.isdisjoint(dependencies.get(name) or ())):
            return True
    return False


def _opened(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    goal = resource["goal"]
    diff = goal.get("inputDiff") or {}
    adds, updates = dict(diff.get("adds") or {}), dict(diff.get("updates") or {})
    deletes = list(diff.get("deletes") or ())
    for part in (adds, updates):
        part.update({name: UNKNOWN for name in part if name not in _KEPT})
    if goal["type"] == SECRET_TYPE:
        adds.update(dict.fromkeys(HOLDERS, UNKNOWN))
        updates = {name: value for name, value in updates.items() if name not in HOLDERS}
        deletes = [name for name in deletes if name not in HOLDERS]
    left_open = {"adds": adds, "updates": updates, "deletes": deletes}
    return {**resource, "goal": {**goal, "inputDiff": left_open}}
