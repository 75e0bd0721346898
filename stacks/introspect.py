"""Ask the typed model which keys a place may have, and what a value there may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

from pydantic.fields import FieldInfo

from stacks.errors import KeyPath, value_at
from stacks.model import Model


def fields_at(model: type[Model], path: KeyPath, data: Any = None) -> dict[str, str]:
    """The keys that a mapping at `path` may have, with descriptions.

    Of a union those of all its members, or of the one alone that `data` names there by its `kind`.
    """
    return {key: field.description or "" for key, field in _fields(model, path, data)}


def required_at(model: type[Model], path: KeyPath, data: Any = None) -> list[str]:
    """The keys that a mapping at `path` must have; as `fields_at`."""
    return [key for key, field in _fields(model, path, data) if field.is_required()]


def _fields(model: type[Model], path: KeyPath, data: Any) -> Iterator[tuple[str, FieldInfo]]:
    for kind in _kinds_at(model, path, data):
        if _is_model(kind):
            yield from ((field.alias or name, field) for name, field in kind.model_fields.items())


def annotations_at(model: type[Model], path: KeyPath) -> list[Any]:
    """What a value may be: the annotations of its field, or of the items of the mapping or list it is in."""
    return [entry for kind in _kinds_at(model, path[:-1]) for entry in _inside(kind, path[-1])]


def models_in(annotation: Any) -> list[type[Model]]:
    """All models that an annotation names, also those that containers hold."""
    if _is_model(annotation):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and not get_args(kind) and issubclass(kind, Model)


def _kinds_at(model: type[Model], path: KeyPath, data: Any = None) -> list[Any]:
    """The models and containers that may be at a path."""
    kinds: list[Any] = [model]
    for part in path:
        data = value_at(data, (part,))
        found = [one for kind in kinds for entry in _inside(kind, part) for one in _kinds(entry)]
        kinds = [kind for kind in found if _is_said(kind, data)] or found
    return kinds


def _is_said(kind: Any, data: Any) -> bool:
    """Whether a mapping says that it is this model, by its `kind`."""
    field = kind.model_fields.get("kind") if _is_model(kind) else None
    return field is not None and isinstance(data, dict) and data.get("kind") in get_args(field.annotation)


def _inside(kind: Any, part: str | int) -> list[Any]:
    """The annotations of what is under a key of a model or mapping, or in a list."""
    if _is_model(kind):
        fields = kind.model_fields.items()
        # Constraints of a field that may not be left out are beside its annotation.
        return [
            Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
            for name, field in fields
            if (field.alias or name) == part
        ]
    return [get_args(kind)[1 if get_origin(kind) is dict else 0]]


def _kinds(annotation: Any) -> Iterator[Any]:
    """The models and containers that an annotation may stand for: unions and `Annotated` taken apart."""
    if _is_model(annotation) or get_origin(annotation) in (dict, tuple):
        yield annotation
    else:
        for argument in get_args(annotation):
            yield from _kinds(argument)
