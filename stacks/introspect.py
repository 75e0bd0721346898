"""Ask the typed model which keys a place may have, and what a value there may be."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from stacks.errors import KeyPath
from stacks.model import Model


def fields_at(model: type[Model], path: KeyPath) -> dict[str, str]:
    """The keys that a mapping at `path` may have, with descriptions; of a union those of all its members."""
    kinds: list[Any] = [model]
    for part in path:
        kinds = [inner for kind in kinds for inner in _inside(kind, part)]
    return {
        field.alias or name: field.description or ""
        for kind in kinds
        for name, field in kind.model_fields.items()
        if isinstance(kind, type) and issubclass(kind, Model)
    }


def annotations_at(model: type[Model], path: KeyPath) -> list[Any]:
    """What a value may be: the annotations of its field, or of the items of the mapping or list it is in."""
    kinds: list[Any] = [model]
    for part in path[:-1]:
        kinds = [inner for kind in kinds for inner in _inside(kind, part)]
    found: list[Any] = []
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Model):
            names = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
            found.append(names.get(str(path[-1])))
        else:
            found += get_args(kind)
    return found


def _inside(kind: Any, part: str | int) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, Model):
        return [
            found
            for name, field in kind.model_fields.items()
            if (field.alias or name) == part
            for found in models_and_containers(field.annotation)
        ]
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return models_and_containers(arguments[1])
    return models_and_containers(arguments[0]) if get_origin(kind) is tuple else []


def models_and_containers(annotation: Any) -> list[Any]:
    """The models and containers that an annotation may stand for: unions and `Annotated` taken apart."""
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation] if issubclass(annotation, Model) else []
    if get_origin(annotation) in (dict, tuple):
        return [annotation]
    return [found for argument in get_args(annotation) for found in models_and_containers(argument)]


def models_in(annotation: Any) -> list[type[Model]]:
    """All models that an annotation names, also those that containers hold."""
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation] if issubclass(annotation, Model) else []
    return [found for argument in get_args(annotation) for found in models_in(argument)]
