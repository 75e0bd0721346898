"""What a sealed plan is bound to, and in what two such sets differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from access import engine
from stacks import digests

Facts = Mapping[str, str]
"""Name of a thing → its digest, version or identifier."""

_NAMED = 12
_NOWHERE = frozenset({"sourcePosition", "stackTrace"})
"""Where in the program a resource was declared; it says nothing about the resource."""
_ENCRYPTED = re.compile(rb'"ciphertext":"[^"]*"')
"""A secret's value, as it is in canonical JSON. States are large: to look at each value takes ten times as
long.
"""
_SHORT = 16
_RESOURCES_NAMED = 5


@dataclass(frozen=True)
class StateDigest:
    """A stack's state in its backend, without values.

    Two states with the same digest are the same for an update. Secrets are not compared, since the engine
    encrypts them anew at each write; that a resource was changed shows in its time of change.
    """

    digest: str
    resources: Mapping[str, str]
    """A short digest of each resource, by URN."""
    written: str = ""
    """When the engine last wrote it, RFC 3339; empty for a stack without resources."""

    def differences(self, now: StateDigest) -> tuple[str, ...]:
        """How another state differs from this one: at most one line, empty if it does not."""
        if now.digest == self.digest:
            return ()
        before, after = self.resources, now.resources
        both = before.keys() & after.keys()
        changed = [f"{_name(urn)} changed" for urn in both if before[urn] != after[urn]]
        changed += [f"{_name(urn)} is new" for urn in after.keys() - both]
        changed += [f"{_name(urn)} is gone" for urn in before.keys() - both]
        changed.sort()
        names = ", ".join(changed[:_RESOURCES_NAMED])
        if changed[_RESOURCES_NAMED:]:
            names += f" and {len(changed) - _RESOURCES_NAMED} more"
        words = names or "operations that were not finished differ"
        sealed = f"that of {self.written}" if self.written else "an empty one"
        wrote = f"somebody wrote it at {now.written}" if now.written else "there is nothing in it now"
        return (f"changed since the seal, which is for {sealed}; {wrote}: {words}",)


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


def read_state(stack: str) -> StateDigest:
    """The stack's state, from the backend.

    Raises `StackNotFoundError` if the backend does not know the stack, and what else `engine.pulumi` does.
    """
    return state_of(engine.stack_state(stack))


def state_of(exported: Mapping[str, Any]) -> StateDigest:
    """What `pulumi stack export` says, in short."""
    deployment = exported.get("deployment") or {}
    resources: dict[str, list[bytes]] = {}
    for resource in deployment.get("resources") or ():
        # A resource that waits for its deletion has the URN of the one that replaced it.
        resources.setdefault(resource["urn"], []).append(_kept(resource))
    short = {
        urn: digests.of_bytes(b"\0".join(sorted(entries)))[:_SHORT]
        for urn, entries in sorted(resources.items())
    }
    pending = sorted(
        [operation["type"], operation["resource"]["urn"]]
        for operation in deployment.get("pending_operations") or ()
    )
    written = str((deployment.get("manifest") or {}).get("time") or "")
    return StateDigest(digests.of_value([short, pending]), short, written if short else "")


def _kept(resource: Mapping[str, Any]) -> bytes:
    """What of a resource's state says something: the rest is another each time that the engine writes it."""
    kept = {key: value for key, value in resource.items() if key not in _NOWHERE}
    if "dependencies" in kept:
        kept["dependencies"] = sorted(kept["dependencies"])
    if by_name := kept.get("propertyDependencies"):
        kept["propertyDependencies"] = {name: sorted(urns or ()) for name, urns in by_name.items()}
    return _ENCRYPTED.sub(b"", digests.canonical(kept))


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
