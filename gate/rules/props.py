"""Resources' inputs as policies of Pulumi's SDK get them, made as they are read.

The SDK's own proxies copy everything first; of 5,000 resources, with definitions among them that are as long
as books, policies read a hundredth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from report.model import UNKNOWN


class UnknownInputError(UnknownValueError):  # type: ignore[misc]
    """A policy asked for a value that is known only when the change is applied."""

    def __init__(self, urn: str, path: tuple[str, ...]) -> None:
        super().__init__(UNKNOWN, list(path))
        self.urn = urn
        """The resource whose value it is."""


class Props(Mapping[str, Any]):
    """A mapping that raises `UnknownInputError` for values that are not known."""

    def __init__(self, value: Mapping[str, Any], urn: str, path: tuple[str, ...] = ()) -> None:
        self._value, self._urn, self._path = value, urn, path

    def __getitem__(self, key: str) -> Any:
        return _read(self._value[key], self._urn, (*self._path, str(key)))

    def __contains__(self, key: object) -> bool:
        # Whether a key is there is known, whatever its value is.
        return key in self._value

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)

    def __len__(self) -> int:
        return len(self._value)


class _List(Sequence[Any]):
    def __init__(self, value: Sequence[Any], urn: str, path: tuple[str, ...]) -> None:
        self._value, self._urn, self._path = value, urn, path

    def __getitem__(self, index: Any) -> Any:
        return _read(self._value[index], self._urn, (*self._path, str(index)))

    def __len__(self) -> int:
        return len(self._value)


def _read(value: Any, urn: str, path: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return Props(value, urn, path)
    if isinstance(value, list):
        return _List(value, urn, path)
    if value == UNKNOWN:
        raise UnknownInputError(urn, path)
    return value
