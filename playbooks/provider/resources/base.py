"""What all resources share: the calls that the provider makes of them, and what it gives them to work
with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playbooks.provider.schema import Failure, ResourceSchema
from playbooks.provider.values import UNKNOWN, Properties

if TYPE_CHECKING:
    from playbooks.provider.engine import Engine
    from playbooks.provider.fleet import Fleet
    from playbooks.provider.runs import Runs


@dataclass
class Context:
    """What a resource works with."""

    engine: Engine
    fleet: Fleet
    runs: Runs
    preview: bool = False
    """Whether the program runs for a preview: what cannot be measured is a warning then."""
    clusters: set[str] = field(default_factory=set)
    """Regions whose clusters this run declares; none when all is destroyed, as no program runs then."""


@dataclass(frozen=True)
class Operation:
    """One create, update or delete."""

    urn: str
    name: str
    timeout: float
    """Seconds that the program allows; 0 for the resource's own default."""
    preview: bool = False


@dataclass(frozen=True)
class Changes:
    """What differs: names of properties to update in place, and of those that make a replacement."""

    updates: Sequence[str] = ()
    replaces: Sequence[str] = ()

    @property
    def any(self) -> bool:
        """Whether anything differs."""
        return bool(self.updates or self.replaces)


@dataclass(frozen=True)
class Checked:
    """The inputs after the check, with what the resource adds to them, and what is wrong."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    failures: Sequence[Failure] = ()


class Resource(ABC):
    """A kind of resource. It has no state of its own."""

    schema: ResourceSchema

    async def check(
        self, context: Context, urn: str, old: Properties, new: Properties, seed: bytes
    ) -> Checked:
        """Return inputs to add to `new`, and what is wrong beyond what the schema says."""
        return Checked()

    @abstractmethod
    async def diff(self, context: Context, urn: str, old: Properties, new: Properties) -> Changes:
        """Return how `new` inputs differ from the `old` state."""

    @abstractmethod
    async def create(self, context: Context, operation: Operation, inputs: Properties) -> Properties:
        """Make it; return its whole state.

        With `operation.preview`, change nothing and leave `UNKNOWN` open.
        """

    @abstractmethod
    async def update(
        self, context: Context, operation: Operation, old: Properties, new: Properties
    ) -> Properties:
        """Change it in place; return its whole state. With `operation.preview` as in `create`."""

    async def delete(
        self, context: Context, operation: Operation, inputs: Properties, state: Properties
    ) -> None:
        """Remove it; `inputs` are those of the last run that saw it.

        Does nothing unless a resource has something to remove.
        """
        return


def differing(names: Sequence[str], old: Properties, new: Properties) -> list[str]:
    """Return which of the properties differ; one that is not known yet does."""
    return [name for name in names if new.get(name) is UNKNOWN or old.get(name) != new.get(name)]
