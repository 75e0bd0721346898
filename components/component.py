"""The base of all components: each says of itself where it is, and what of the declaration it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from pulumi import ComponentResource, Input, Output, Resource, ResourceOptions

T = TypeVar("T")


class Component(ComponentResource):
    """A component whose inputs carry its region and its key in the declaration.

    Beside these it carries what is declared of it and nothing below it shows, so that a change of that is
    seen. Whatever is below it belongs there too, so nobody has to guess from a resource's name. Names are the
    parts' names joined by `.`, which no part holds: they never meet.
    """

    token: ClassVar[str]
    """The type by which the engine knows it, of `components.tokens`."""

    def __init__(
        self,
        *parts: str,
        parent: Resource | None,
        declared: Sequence[str],
        region: str = "",
        inputs: Mapping[str, Input[Any]] | None = None,
    ) -> None:
        """parts: the parts of its name. declared: path of its key below the environment, for example
        `("applications", "shop")`; empty for the environment itself. region: empty for what belongs to all.
        """
        identity = {"region": region, "declared": ".".join(declared), **(inputs or {})}
        super().__init__(self.token, named(*parts), identity, ResourceOptions(parent=parent))


def named(*parts: str) -> str:
    """The name of a resource, of its parts."""
    return ".".join(part for part in parts if part)


def late(make: Callable[..., T], **values: Input[Any]) -> Output[T]:
    """What `make` makes of values, once they are known; None while one of them is None.

    That is what `--target` gives for a resource that it leaves out and that does not exist yet.
    """

    def made(known: Mapping[str, Any]) -> Any:
        return None if None in known.values() else make(**known)

    return Output.all(**values).apply(made)
