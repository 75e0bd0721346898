"""Kubernetes quantities in their canonical form.

The API server and the Kubernetes provider write `2000m` as `2` and `1024Mi` as `1Gi`, but the provider does
so only once it knows its cluster. What a preview without a cluster declares would then differ from what `up`
declares, so charts' quantities are canonical from the start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

_QUANTITY = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))([numkMGTPE]|[KMGTPE]i)?$")
_DECIMAL = {name: Fraction(1000) ** power for power, name in enumerate(("n", "u", "m", "", *"kMGTPE"), -3)}
_BINARY = {f"{name}i": Fraction(1024) ** power for power, name in enumerate("KMGTPE", 1)}


def canonical(text: str) -> str:
    """The canonical form of a quantity: no fraction, the largest suffix of its kind that keeps it exact
    (`resource.Quantity` of Kubernetes' API machinery). Anything else stays as it is, exponents included.
    """
    found = _QUANTITY.match(text)
    if found is None:
        return text
    suffix = found[2] or ""
    value = Fraction(found[1]) * {**_DECIMAL, **_BINARY}[suffix]
    binary = suffix in _BINARY and value.denominator == 1
    sizes = {"": Fraction(1), **_BINARY} if binary else _DECIMAL
    for name, size in sorted(sizes.items(), key=lambda entry: -entry[1]):
        if (value / size).denominator == 1:
            return f"{(value / size).numerator}{name}" if value else "0"
    return text


def canonical_resources(value: Any) -> Any:
    """An object with the quantities of its containers' `resources` in canonical form."""
    if isinstance(value, list):
        return [canonical_resources(entry) for entry in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: _resources(entry)
        if key == "resources" and isinstance(entry, Mapping)
        else canonical_resources(entry)
        for key, entry in value.items()
    }


def _resources(resources: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: {name: canonical(str(quantity)) for name, quantity in entry.items()}
        if key in ("limits", "requests") and isinstance(entry, Mapping)
        else entry
        for key, entry in resources.items()
    }
