"""Values that are known late."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pulumi import Input, Output

T = TypeVar("T")


def late(make: Callable[..., T], **values: Input[Any]) -> Output[T]:
    """What `make` makes of values, once they are known; None while one of them is None.

    That is what `--target` gives for a resource that it leaves out and that does not exist yet.
    """

    def made(found: Mapping[str, Any]) -> Any:
        return None if None in found.values() else make(**found)

    return Output.all(**values).apply(made)
