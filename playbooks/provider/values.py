"""Values of the engine's protocol as plain Python values, and back.

The SDK leaves values that are not known before `up` as a reserved string, and its own marker for them cannot
be sent; here they are `UNKNOWN`, an object of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc


class _Unknown:
    """A value that is known only during `up`."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()

Properties = dict[str, Any]


def to_python(value: PropertyValue) -> Any:
    """Return `value` without its secret mark; numbers without a fraction become int, unknown values
    `UNKNOWN`. Mappings are in order of their keys: the protocol has them in any order, and what is rendered
    from them onto hosts must be the same each time."""
    inner = value.value
    if isinstance(inner, str):
        return UNKNOWN if inner == rpc.UNKNOWN else inner
    if inner is None or isinstance(inner, bool):
        return inner
    if isinstance(inner, float):
        return int(inner) if inner.is_integer() else inner
    if isinstance(inner, Mapping):
        return {key: to_python(inner[key]) for key in sorted(inner)}
    if isinstance(inner, tuple | list):
        return [to_python(item) for item in inner]
    msg = f"values of type {type(inner).__name__} are not supported by this provider"
    raise TypeError(msg)


def to_properties(values: Mapping[str, PropertyValue]) -> Properties:
    return {key: to_python(value) for key, value in values.items()}


def from_python(value: Any) -> PropertyValue:
    """Return `value` as the protocol carries it."""
    if value is UNKNOWN:
        return PropertyValue(rpc.UNKNOWN)
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return PropertyValue(value)
    if isinstance(value, int | float):
        return PropertyValue(float(value))
    if isinstance(value, Mapping):
        return PropertyValue({key: from_python(item) for key, item in value.items()})
    return PropertyValue([from_python(item) for item in value])


def from_properties(values: Mapping[str, Any], secrets: Collection[str]) -> dict[str, PropertyValue]:
    """Return `values` for the protocol: without those that are None, and with the marks of `secrets`."""
    return {
        key: from_python(value).with_secret(key in secrets)
        for key, value in values.items()
        if value is not None
    }


def has_unknown(value: Any) -> bool:
    """Whether `value` is, or holds at any depth, a value that is not known yet."""
    if value is UNKNOWN:
        return True
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    return isinstance(value, list) and any(has_unknown(item) for item in value)
