"""Objects in the form in which Kubernetes keeps them.

The API server and the Kubernetes provider write `2000m` as `2` and `1024Mi` as `1Gi`, but the provider does
so only once it knows its cluster. What a preview without a cluster declares would then differ from what `up`
declares, so what charts render is canonical from the start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

_QUANTITY = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))([numkMGTPE]|[KMGTPE]i)?$")
_DECIMAL = {name: Fraction(1000) ** power for power, name in enumerate(("n", "u", "m", "", *"kMGTPE"), -3)}
_BINARY = {f"{name}i": Fraction(1024) ** power for power, name in enumerate("KMGTPE", 1)}


def quantity(text: str) -> str:
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
        key: {name: quantity(str(given)) for name, given in entry.items()}
        if key in ("limits", "requests") and isinstance(entry, Mapping)
        else entry
        for key, entry in resources.items()
    }
