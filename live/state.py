"""What was applied: the stack's state, read once, with its secrets in memory only."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from access import engine
from playbooks.definitions import as_object
from playbooks.tokens import CLUSTER_IDENTITY
from report.errors import ConfigurationError, PreviewError, PulumiError
from report.masking import SECRET_SIGNATURE, SECRET_TYPE, SIGNATURE, hiding
from report.model import SECRET, Identity, Resource
from report.provenance import Provenances, identity
from report.urns import parent_type
from stacks.errors import StackFileError
from stacks.load import Stack, load_stack

_ENGINE_SECONDS = 60.0
_STACK = "pulumi:pulumi:Stack"
_PROVIDERS = "pulumi:providers:"


@dataclass(frozen=True)
class Sealed:
    """A secret value. It is compared, and never shown."""

    value: Any = field(repr=False)


@dataclass(frozen=True)
class Applied(Identity):
    """A resource as it was last applied. Secrets in its values are `Sealed`."""

    inputs: Mapping[str, Any] = field(repr=False)
    outputs: Mapping[str, Any] = field(repr=False)

    def resource(self) -> Resource:
        """It as the gate's reports take it, secrets masked."""
        identity = {entry.name: getattr(self, entry.name) for entry in fields(Identity)}
        return Resource(**identity, inputs=shown(self.inputs))


@dataclass(frozen=True)
class Way:
    """A cluster of the state and what was recorded about it."""

    region: str
    urn: str
    """Of the resource that recorded its identity."""
    uid: str
    kubeconfig: str = field(repr=False)


@dataclass(frozen=True)
class State:
    """All resources of a stack, in order of URN."""

    stack: str
    project: str
    resources: tuple[Applied, ...]

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs; empty where `up` has not come to its end yet."""
        return next((resource.outputs for resource in self.resources if resource.type == _STACK), {})

    @property
    def is_empty(self) -> bool:
        """Whether nothing was applied: what holds others, and the way to them, is nothing by itself."""
        own = (resource for resource in self.resources if resource.custom)
        return all(resource.type.startswith(_PROVIDERS) for resource in own)

    def of_type(self, type: str) -> tuple[Applied, ...]:
        """All resources of one type."""
        return tuple(resource for resource in self.resources if resource.type == type)

    def below(self, holder: str, type: str) -> tuple[Applied, ...]:
        """All resources of one type whose parent is of another, by their types."""
        return tuple(resource for resource in self.of_type(type) if parent_type(resource) == holder)

    def ways(self) -> dict[str, Way]:
        """The clusters that were set up, by region."""
        recorded = [(resource.urn, opened(resource.outputs)) for resource in self.of_type(CLUSTER_IDENTITY)]
        return {
            values["cluster"]: Way(values["cluster"], urn, values["uid"], values["kubeconfig"])
            for urn, values in recorded
            if values.get("uid") and values.get("kubeconfig")
        }

    def secrets(self) -> Iterator[Any]:
        """All secret values, for a mask over texts."""
        for resource in self.resources:
            for values in (resource.inputs, resource.outputs):
                yield from (leaf.value for leaf in leaves(values) if isinstance(leaf, Sealed))
                if resource.type == SECRET_TYPE:
                    yield from _decoded(opened(values.get("data")))


def read_stack(file: Path) -> Stack:
    """The declaration in a stack file. Raises `ConfigurationError` with every problem of it."""
    try:
        return load_stack(file)
    except StackFileError as error:
        raise ConfigurationError(str(error)) from error


def read_state(stack: str, timeout: float = _ENGINE_SECONDS) -> State:
    """The state as the backend has it; `timeout` is in seconds.

    Raises `AuthenticationError` when its secrets cannot be decrypted, `StackNotFoundError`, and
    `PreviewError` for a state that the engine cannot read, `DeadlineError`.
    """
    arguments = ("stack", "export", "--show-secrets", "--stack", stack)
    try:
        exported = engine.pulumi(*arguments, timeout=timeout).stdout
    except PulumiError as error:
        raise PreviewError(f"stack {stack!r}: its state cannot be read: {error.message}") from None
    try:
        return parse_state(stack, json.loads(exported))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # The document has secrets in it: nothing of it is quoted.
        raise PreviewError(
            f"stack {stack!r}: its state is not of the form that this version reads "
            f"({type(error).__name__}). `pulumi stack export --stack {stack}` shows it."
        ) from None


def parse_state(stack: str, document: Mapping[str, Any]) -> State:
    """Read what `pulumi stack export --show-secrets` prints."""
    entries = (document.get("deployment") or {}).get("resources") or ()
    # What waits to be deleted after its replacement shares its URN with that.
    kept = {entry["urn"]: as_object(entry) for entry in entries if not entry.get("delete")}
    provenances = Provenances(kept)
    applied = tuple(
        Applied(
            **identity(urn, entry, provenances[urn]),
            inputs=_values(entry["type"], entry.get("inputs") or {}),
            outputs=_values(entry["type"], entry.get("outputs") or {}),
        )
        for urn, entry in sorted(kept.items())
    )
    project = next((resource.urn.split("::")[1] for resource in applied), "")
    return State(stack, project, applied)


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """A value with everything in it that is neither a map nor a list put through `change`."""
    if isinstance(value, Mapping):
        return {key: mapped(entry, change) for key, entry in value.items()}
    return [mapped(entry, change) for entry in value] if isinstance(value, list) else change(value)


def leaves(value: Any) -> Iterator[Any]:
    """Everything in a value that is neither a map nor a list."""
    if isinstance(value, Mapping | list):
        for entry in value.values() if isinstance(value, Mapping) else value:
            yield from leaves(entry)
    else:
        yield value


def has_secret(value: Any) -> bool:
    """Whether there is a secret anywhere in a value."""
    return any(isinstance(leaf, Sealed) for leaf in leaves(value))


def opened(value: Any) -> Any:
    """A value with its secrets in clear."""
    return mapped(value, lambda leaf: opened(leaf.value) if isinstance(leaf, Sealed) else leaf)


def shown(value: Any) -> Any:
    """A value with its secrets masked."""
    return mapped(value, lambda leaf: SECRET if isinstance(leaf, Sealed) else leaf)


def _values(type: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties of a resource with `Sealed` for their secrets."""
    return hiding(type, _sealing(properties), lambda value: Sealed(opened(value)))


def _sealing(value: Any) -> Any:
    """The engine's form of a value as a plain one, with `Sealed` for its secrets."""
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return Sealed(opened(_sealing(json.loads(value["plaintext"]))))
        return {key: _sealing(entry) for key, entry in value.items()}
    return [_sealing(entry) for entry in value] if isinstance(value, list) else value


def _decoded(data: Any) -> Iterator[str]:
    """The texts of a Secret's `data`, which has them encoded."""
    for value in data.values() if isinstance(data, Mapping) else ():
        # What is no text cannot be copied into one, unless encoded.
        with contextlib.suppress(ValueError):
            yield base64.b64decode(str(value)).decode()
