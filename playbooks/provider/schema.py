"""What the resources take and give, read from their classes in `sdk`: inputs are checked by it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pulumi import Output

from playbooks.provider.values import UNKNOWN

Failure = tuple[str, str]
"""Name of the property, and what is wrong with it."""


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and all(item is UNKNOWN or isinstance(item, str) for item in value)


_TYPES: dict[type, tuple[Callable[[Any], bool], str]] = {
    str: (lambda value: isinstance(value, str), "a string"),
    bool: (lambda value: isinstance(value, bool), "true or false"),
    int: (lambda value: type(value) is int, "a whole number"),
    Sequence: (_is_list_of_strings, "a list of strings"),
    Mapping: (lambda value: isinstance(value, Mapping), "a map"),
}


@dataclass(frozen=True)
class Field:
    """One property, as it stands beside its type in `Annotated`; name, kind and required come from there."""

    description: str
    secret: bool = False
    least: int | None = None
    """Numbers are at least this."""
    choices: tuple[str, ...] = ()
    checked: bool = False
    """Whether it is an input that the provider's check adds, and no program gives."""
    name: str = ""
    kind: type = str
    required: bool = False

    def problem(self, value: Any) -> str | None:
        """Return what is wrong with `value`, without quoting a secret; None when nothing is."""
        accepts, kind = _TYPES[self.kind]
        if value is UNKNOWN:
            return None
        shown = "a secret" if self.secret else repr(value)
        if value is None:
            return f"is missing: {self.description}" if self.required else None
        if not accepts(value):
            return f"must be {kind}, not {'another type' if self.secret else shown}"
        if self.least is not None and value < self.least:
            return f"must be at least {self.least}, not {shown}"
        values = value if isinstance(value, list) else [value]
        wrong = [item for item in values if self.choices and item is not UNKNOWN and item not in self.choices]
        return f"must be of {', '.join(self.choices)}; {wrong[0]!r} is not" if wrong else None


@dataclass(frozen=True)
class ResourceSchema:
    """A resource: its type token, what it takes and what it gives beside that."""

    token: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]

    @classmethod
    def of(cls, resource: type, token: str, inputs: type) -> ResourceSchema:
        """Read it from the annotations of a resource's class and of `inputs` (a TypedDict). An output without
        a Field is an input that is given back."""
        own = fields(resource)
        return cls(
            token,
            (*fields(inputs), *(field for field in own if field.checked)),
            tuple(field for field in own if not field.checked),
        )

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset(field.name for field in (*self.inputs, *self.outputs) if field.secret)

    def problems(self, inputs: Mapping[str, Any]) -> list[Failure]:
        """Return all that is wrong with `inputs`: unknown names, wrong types, missing values."""
        names = {field.name for field in self.inputs}
        wrong = [(name, f"is not a property of {self.token}") for name in sorted(inputs) if name not in names]
        problems = ((field.name, field.problem(inputs.get(field.name))) for field in self.inputs)
        return wrong + [(name, problem) for name, problem in problems if problem]

    def declared_differences(self, state: Mapping[str, Any], new: Mapping[str, Any]) -> list[str] | None:
        """Return the inputs that differ from a state that no `up` left, so that an output is not known: where
        two declarations are compared without a platform, the older one stands as a state. What is not known
        counts as the same. None for other states."""
        if all(state.get(field.name) is not UNKNOWN for field in self.outputs):
            return None
        pairs = {field.name: (state.get(field.name), new.get(field.name)) for field in self.inputs}
        return [name for name, (old, now) in pairs.items() if UNKNOWN not in (old, now) and old != now]


def fields(annotated: type) -> list[Field]:
    """Return the fields that a class's annotations describe; what has no Field is left out."""
    described = []
    # Its own annotations alone: those of the SDK's classes name what only type checkers import.
    own = SimpleNamespace(__annotations__=annotated.__annotations__)
    module = vars(sys.modules[annotated.__module__])
    # The SDK's `Input` holds a reference to a type variable that only its own module has.
    references = {"Output": Output, "T": NoneType}
    for name, hint in get_type_hints(own, module, references, include_extras=True).items():
        if get_origin(hint) is Annotated and isinstance(field := hint.__metadata__[0], Field):
            required = name in getattr(annotated, "__required_keys__", ())
            described.append(replace(field, name=name, kind=_kind(hint.__origin__), required=required))
    return described


def _kind(hint: Any) -> type:
    """Return the plain type in an input's or output's: `str` of `Input[str]`, `Mapping` of a map of any, and
    of a resource, of which some outputs are taken."""
    origin = get_origin(hint)
    if origin is Output:
        return _kind(get_args(hint)[0])
    if origin in (Union, UnionType):
        return _kind(get_args(hint)[0])
    return next((kind for kind in (origin, hint) if kind in _TYPES), Mapping)
