"""Objects in the form in which Kubernetes keeps them.

The API server and the Kubernetes provider write `2000m` as `2` and `1024Mi` as `1Gi`, but the provider does
so only once it knows its cluster. What a preview without a cluster declares would then differ from what `up`
declares, so what charts render is canonical from the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stacks.quantities import canonical_quantity


def canonical(value: Any) -> Any:
    """An object with its containers' quantities in canonical form, and without empty values of environment
    variables, which are the same as none.
    """
    if isinstance(value, list):
        return [canonical(entry) for entry in value]
    if not isinstance(value, Mapping):
        return value
    return {key: _entry(key, entry) for key, entry in value.items()}


def _entry(key: str, entry: Any) -> Any:
    if key == "resources" and isinstance(entry, Mapping):
        return _resources(entry)
    if key == "env" and isinstance(entry, list):
        return [
            {name: part for name, part in variable.items() if (name, part) != ("value", "")}
            for variable in entry
        ]
    return canonical(entry)


def _resources(resources: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: {name: canonical_quantity(str(amount)) for name, amount in entry.items()}
        if key in ("limits", "requests") and isinstance(entry, Mapping)
        else entry
        for key, entry in resources.items()
    }
