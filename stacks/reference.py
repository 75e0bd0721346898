"""The reference of stack files, made from the typed model and the rules."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from enum import Enum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

import releases
from stacks.introspect import models_in
from stacks.ledger import Ledger
from stacks.model import Environment, Model, Versions
from stacks.model.base import FORMS
from stacks.rules import COLUMNS

FILE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "stack-file.md"

_PLAIN = {
    str: "text",
    int: "whole number",
    bool: "true or false",
    IPv4Address: "IPv4 address",
    IPv4Network: "IPv4 network",
    object: "any value",
}
INTRODUCTION = Path(__file__).with_name("reference-introduction.md")


def render() -> str:
    """The reference, as the text of its file."""
    parts = [INTRODUCTION.read_text(encoding="utf-8")]
    # A model is told of once, where it is first held.
    models = dict.fromkeys(model for root in (Environment, Ledger) for model in _reachable(root))
    parts += map(_section, models)
    parts.append("## Versions\n\nWhat is known of each release: [releases](../releases.md).\n")
    for program in Versions.model_fields:
        parts += [_release(releases.release(program, version)) for version in releases.versions(program)]
    parts.append("\n## Rules\n\nBeside the types of single keys, these bind several of them.")
    for title, rules in COLUMNS.items():
        parts.append(f"\n### {title}\n")
        parts += [f"- {_sentence(rule)}" for rule in rules]
    return "\n".join(parts) + "\n"


def _release(release: releases.Release) -> str:
    default = " (default)" if releases.default(release.program) == release.version else ""
    return f"- {release.name}{default}: {release.seen}"


def _section(model: type[Model]) -> str:
    lines = [f"### {_title(model)}\n", inspect.cleandoc(model.__doc__ or ""), ""]
    lines += ["| key | type | default | what it is |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        what = (field.description or "").replace("|", "\\|")
        kind = _words(field.annotation, field.metadata)
        lines.append(f"| `{field.alias or name}` | {kind} | {_default(field)} | {what} |")
    return "\n".join([*lines, ""])


def _reachable(model: type[Model]) -> Iterator[type[Model]]:
    """The model and those that its fields hold, each before what it holds itself."""
    yield model
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            yield from _reachable(inner)


def _words(annotation: Any, metadata: list[Any]) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner: list[Any] = []
        for extra in arguments[1:]:
            inner += extra.metadata if isinstance(extra, FieldInfo) else [extra]
        return _words(arguments[0], inner)
    if origin is dict:
        return f"mapping of {_words(arguments[0], [])} to {_words(arguments[1], [])}"
    if origin is tuple:
        return f"list of {_words(arguments[0], [])}"
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(_words(part, metadata) for part in arguments if part is not type(None))
    if issubclass(annotation, Model):
        return f"[{_title(annotation)}](#{_title(annotation).lower().replace(' ', '-')})"
    if issubclass(annotation, Enum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    limits = {
        name: getattr(extra, name)
        for extra in metadata
        for name in ("pattern", "ge", "le")
        if getattr(extra, name, None) is not None
    }
    if "pattern" in limits:
        return FORMS[limits["pattern"]][0]
    bounds = f", {limits['ge']} to {limits['le']}" if "ge" in limits else ""
    return _PLAIN[annotation] + bounds


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return ""
    if value in (None, (), {}):
        return "none"
    if isinstance(value, Model):
        return "its defaults"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _title(model: type[Model]) -> str:
    name = model.__name__.removesuffix("Spec")
    return re.sub(r"(?<!^)[A-Z]", lambda letter: f" {letter[0].lower()}", name)


def _sentence(rule: Callable[..., None]) -> str:
    """A rule's docstring as one paragraph."""
    return " ".join(inspect.cleandoc(rule.__doc__ or "").split())
