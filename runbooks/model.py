"""What a runbook is: steps with check, do, verify and undo, and what stands before and after them.

A step is reached when its `verify` says so, whoever brought it there: a run that was killed goes on at
the first step that is not, and never asks its own memory. `undo` gets what `before` read just ahead of
`do`, as the journal has it, so that only what this run changed is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from report.errors import ConfigurationError
from report.problem import Problem
from runbooks.locks import Place

Facts = dict[str, Any]
"""What is remembered of a place before a step changes it: plain JSON, no secrets."""


class Site(Protocol):
    """What a runbook works on, while it is open."""

    run: str
    """Id of the run; empty before it begins. The same when it is gone on with."""
    tell: Callable[[str], None]
    """Takes what is being waited for, and why."""
    lost: Callable[[], str]
    """Says why the run's lock is not held any more; nothing while it is."""

    def places(self) -> Sequence[Place]:
        """Where the locks lie that hold off other operators."""


S = TypeVar("S")
"""The `Site` that a runbook works on, in its own type."""


@dataclass(frozen=True)
class Parameter:
    """A value that a run is given as `name=value`."""

    name: str
    says: str
    default: str | None = None
    """None where it must be given."""


def accepted(values: Mapping[str, str]) -> frozenset[str]:
    """What the operator says may be so, of the parameter `accept`: words with commas between them."""
    return frozenset(filter(None, values.get("accept", "").split(",")))


def judged(problems: Iterable[Problem], accepted: Collection[str]) -> list[Problem]:
    """The problems; what the operator accepts, by its kind, blocks no more."""
    return [replace(one, blocks=one.blocks and not (one.kind and one.kind in accepted)) for one in problems]


@dataclass(frozen=True)
class Blast:
    """What a run touches."""

    confirm: str
    """The name that is typed to confirm it."""
    touched: Sequence[str]
    """What is changed or interrupted, in words, in its order."""


def _nothing(site: Any) -> Facts:
    return {}


def _no_problem(site: Any) -> list[Problem]:
    return []


def _as_given(site: Any) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Step(Generic[S]):
    """One step."""

    name: str
    says: str
    """What it does, a sentence without its end."""
    do: Callable[[S], None]
    verify: Callable[[S], str]
    """What is lacking; empty once it is reached. Reads only."""
    check: Callable[[S], list[Problem]] = _no_problem
    """What stands against it right now. Reads only."""
    before: Callable[[S], Facts] = _nothing
    undo: Callable[[S, Facts], None] | None = None
    one_way: str = ""
    """Why it cannot be taken back, and which way back there is; named before it is taken."""


@dataclass(frozen=True)
class Runbook(Generic[S]):
    """One operation."""

    name: str
    title: str
    says: str
    """When it is for, and what it leaves behind."""
    parameters: tuple[Parameter, ...]
    opened: Callable[[str, Mapping[str, str]], AbstractContextManager[S]]
    """Opens the site of a stack, by its name and the parameters' values."""
    blast: Callable[[S], Blast]
    preconditions: Callable[[S], list[Problem]]
    steps: tuple[Step[S], ...]
    postconditions: Callable[[S], list[Problem]]
    takes_back: bool = True
    """Whether a failure takes back what the run did; otherwise it stays, and `resume` goes on."""
    fixed: Callable[[S], Mapping[str, str]] = _as_given
    """Values that a run keeps as they are when it begins, though it changes what they come from."""

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """Each parameter's value. Raises ConfigurationError for one that is missing or unknown."""
        known = {parameter.name: parameter for parameter in self.parameters}
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise ConfigurationError(
                f"runbook {self.name} has no {', '.join(unknown)}", fix=f"it takes {', '.join(known)}"
            )
        missing = [name for name, one in known.items() if one.default is None and not given.get(name)]
        if missing:
            words = "; ".join(f"{name}: {known[name].says}" for name in missing)
            raise ConfigurationError(
                f"runbook {self.name} wants {', '.join(missing)}",
                fix=f"give {' '.join(f'{name}=…' for name in missing)} ({words})",
            )
        return {name: given.get(name) or one.default or "" for name, one in known.items()}
