"""What all resources share: the calls that the provider makes, and what it gives them to work with."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playbooks.provider.holds import Holds
from playbooks.provider.kept_keys import KeptKeys
from playbooks.provider.rollout import Rollout
from playbooks.provider.schema import Failure, ResourceSchema
from playbooks.provider.staging import Staging
from playbooks.provider.values import UNKNOWN, Properties
from playbooks.provider.ways import Ways
from report.errors import OperationsError

if TYPE_CHECKING:
    from playbooks.provider.engine import Engine
    from playbooks.provider.fleet import Fleet
    from playbooks.provider.runs import Runs


class Unfinished(OperationsError):
    """A change was begun and not finished: the engine keeps the resource, and finishes it in the next run."""

    def __init__(self, cause: OperationsError, state: Mapping[str, Any]) -> None:
        """cause: why it was not finished. state: what is to be remembered of the resource."""
        super().__init__(cause.message, fix=cause.fix)
        self.state = state


@dataclass
class Context:
    """What resources work with, in one run of the engine."""

    engine: Engine
    fleet: Fleet
    runs: Runs
    rollout: Rollout = field(default_factory=Rollout)
    staging: Staging = field(default_factory=Staging)
    holds: Holds = field(default_factory=Holds)
    ways: Ways = field(default_factory=Ways)
    kept_keys: KeptKeys = field(default_factory=KeptKeys)
    preview: bool = False
    """Whether the program runs for a preview: what cannot be measured is a warning then."""
    clusters: set[str] = field(default_factory=set)
    """Regions whose clusters this run declares; none when all is destroyed, as no program runs then."""
    leaving: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """By region, who of those that carry its cluster is on its way out of it: one at a time."""


@dataclass(frozen=True)
class Operation:
    """One call about one resource."""

    context: Context
    urn: str
    timeout: float = 0
    """Seconds that the program allows; 0 for the resource's own default."""
    preview: bool = False
    """Whether nothing may be changed, and what only `up` can know is `UNKNOWN`."""
    seed: bytes = b""
    """Random, and the same in a preview and the `up` after it. With checks alone."""

    async def status(self, message: str) -> None:
        """Show what is being done now; the next one takes its place."""
        await self.context.engine.log("status", self.urn, message)

    async def info(self, message: str) -> None:
        """Show a message and keep it."""
        await self.context.engine.log("info", self.urn, message)

    async def warning(self, message: str) -> None:
        await self.context.engine.log("warning", self.urn, message)


@dataclass(frozen=True)
class Changes:
    """What differs: names of properties to update in place, and of those that make a replacement."""

    updates: Sequence[str] = ()
    replaces: Sequence[str] = ()

    @property
    def any(self) -> bool:
        return bool(self.updates or self.replaces)


@dataclass(frozen=True)
class Checked:
    """What a check adds to the inputs, or puts in their place (None: takes away), and what is wrong."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    failures: Sequence[Failure] = ()


class Resource(ABC):
    """A kind of resource. It has no state of its own."""

    schema: ResourceSchema

    async def check(self, operation: Operation, old: Properties, new: Properties) -> Checked:
        """Return inputs to add to `new`, and what is wrong beyond what the schema says."""
        return Checked()

    @abstractmethod
    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        """Return how `new` inputs differ from the `old` state."""

    @abstractmethod
    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        """Make it; return its whole state."""

    async def update(self, operation: Operation, old: Properties, new: Properties) -> Properties:
        """Change it in place, which is to make it anew where nothing else is said; return its whole state."""
        return await self.create(operation, new)

    async def read(self, operation: Operation, inputs: Properties, state: Properties) -> Properties | None:
        """Return the state as it is live; None if nothing is there. By default, nobody looks."""
        return state

    async def delete(self, operation: Operation, inputs: Properties, state: Properties) -> None:  # noqa: B027
        """Remove it, where there is something to remove; `inputs` are those of the last run that saw it."""


async def adopted(operation: Operation, inputs: Properties) -> tuple[str, str] | None:
    """What a host keeps that a resource is to take over which is made: certificate or public key, and private
    key, PEM; None where it is to be made. Raises OperationsError."""
    if not (kept_on := inputs.get("kept_on")):
        return None
    found = await operation.context.kept_keys.of(kept_on, inputs.get("become_password"))
    if found:
        await operation.info(f"taken over from {kept_on['host']}, which has it already")
    return found


def differing(names: Sequence[str], old: Properties, new: Properties) -> list[str]:
    """Return which of the properties differ; one that is not known yet does."""
    return [name for name in names if new.get(name) is UNKNOWN or old.get(name) != new.get(name)]
