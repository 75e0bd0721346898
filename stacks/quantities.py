"""Quantities of Kubernetes: `1000m` is `1`, where a field is one.

The official client has a reader of them too. It takes half a second to import, in every run of the program.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

_QUANTITY = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?)([numkMGTPE]|[KMGTPE]i)?$")
_DECIMAL = {name: Fraction(1000) ** power for power, name in enumerate(("n", "u", "m", "", *"kMGTPE"), -3)}
_BINARY = {f"{name}i": Fraction(1024) ** power for power, name in enumerate("KMGTPE", 1)}
_HOLDERS = frozenset(
    {"capacity", "default", "defaultRequest", "hard", "limits", "max", "min", "overhead", "requests"}
)
"""Maps of which every value is a quantity."""
_KEYS = frozenset({"averageValue", "divisor", "sizeLimit"})


def canonical_quantity(text: str) -> str:
    """The canonical form of a quantity: no fraction, the largest suffix of its kind that keeps it exact
    (`resource.Quantity` of Kubernetes' API machinery). Anything else stays as it is, exponents included.
    """
    match = _QUANTITY.match(text)
    if match is None or "e" in match[1].lower():
        return text
    suffix = match[2] or ""
    size = amount(text)
    binary = suffix in _BINARY and size.denominator == 1
    sizes = {"": Fraction(1), **_BINARY} if binary else _DECIMAL
    for name, unit in sorted(sizes.items(), key=lambda entry: -entry[1]):
        if (size / unit).denominator == 1:
            return f"{(size / unit).numerator}{name}" if size else "0"
    return text


def equal_quantities(path: str, one: Any, other: Any) -> bool:
    """Whether the field at a property path is a quantity, and both values are the same one."""
    if not _is_quantity(path):
        return False
    try:
        return amount(one) == amount(other)
    except ValueError:
        return False


def _is_quantity(path: str) -> bool:
    # The name of an extended resource has dots and slashes, and then stands in brackets.
    holder = path.rpartition("[")[0] if path.endswith('"]') else path.rpartition(".")[0]
    return path.rpartition(".")[2] in _KEYS or holder.rpartition(".")[2] in _HOLDERS


def amount(value: Any) -> Fraction:
    """A quantity as a number. Raises `ValueError` for what is none."""
    match = None if isinstance(value, bool) else _QUANTITY.match(str(value))
    if match is None:
        raise ValueError(f"{value!r} is no quantity")
    return Fraction(match[1]) * {**_DECIMAL, **_BINARY}[match[2] or ""]
