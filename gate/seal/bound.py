"""What a sealed plan is bound to, and in what two such sets differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gate.seal.state import StateDigest
from stacks import digests

Facts = Mapping[str, str]
"""Name of a thing → its digest, version or identifier."""

_NAMED = 12


class BoundKind(StrEnum):
    """Kinds of things that a plan is bound to, in the order in which differences are told."""

    COMMIT = "commit"
    CONFIGURATION = "configuration"
    INVENTORY = "inventory"
    ROLES = "roles"
    POLICIES = "policies"
    CHARTS = "charts"
    TOOLCHAIN = "toolchain"
    PROGRAM = "program"


@dataclass(frozen=True)
class Bound:
    """Everything that must be as it was sealed, for the plan to be applied."""

    facts: Mapping[BoundKind, Facts]
    state: StateDigest
    dirty: tuple[str, ...] = ()
    """Files that differ from the commit. For people: their content is bound like that of all others."""

    def differences(self, now: Bound) -> tuple[str, ...]:
        """In what another set differs from this one, a line each, `<kind>: <what>`; empty if in nothing."""
        found = [
            f"{kind}: {line}"
            for kind in BoundKind
            for line in _compare(self.facts.get(kind, {}), now.facts.get(kind, {}))
        ]
        return (*found, *(f"state: {line}" for line in self.state.differences(now.state)))


def _compare(sealed: Facts, now: Facts) -> Iterable[str]:
    lines = [
        _line(name, sealed.get(name), now.get(name))
        for name in sorted({*sealed, *now})
        if sealed.get(name) != now.get(name)
    ]
    yield from lines[:_NAMED]
    if lines[_NAMED:]:
        yield f"and {len(lines) - _NAMED} more"


def _line(name: str, sealed: str | None, now: str | None) -> str:
    if sealed is None:
        return f"{name} was not there when the plan was sealed"
    if now is None:
        return f"{name} is not there any more"
    before, after = digests.shown(sealed), digests.shown(now)
    if before == sealed and after == now:
        return f"{name}: {sealed} -> {now}"
    return f"{name} differs from what was sealed (sealed {before}, now {after})"
