"""Quantities of Kubernetes: `1000m` is `1`, where a field is one."""

from __future__ import annotations

from typing import Any

from kubernetes.utils import parse_quantity

_HOLDERS = frozenset(
    {"capacity", "default", "defaultRequest", "hard", "limits", "max", "min", "overhead", "requests"}
)
"""Maps of which every value is a quantity."""
_KEYS = frozenset({"averageValue", "divisor", "sizeLimit"})


def equal_quantities(path: str, one: Any, other: Any) -> bool:
    """Whether the field at a property path is a quantity, and both values are the same one."""
    if not _is_quantity(path):
        return False
    amount = _amount(one)
    return amount is not None and amount == _amount(other)


def _is_quantity(path: str) -> bool:
    # The name of an extended resource has dots and slashes, and then stands in brackets.
    holder = path.rpartition("[")[0] if path.endswith('"]') else path.rpartition(".")[0]
    return path.rpartition(".")[2] in _KEYS or holder.rpartition(".")[2] in _HOLDERS


def _amount(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return parse_quantity(value)
    except ValueError:
        return None
