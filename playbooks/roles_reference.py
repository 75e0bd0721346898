"""The page of the collection: roles by their argument specifications, modules by their documentation."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from playbooks.phase import COLLECTION, PLAYBOOKS

FILE = COLLECTION / "README.md"
INTRODUCTION = PLAYBOOKS / "roles-introduction.md"
_MARKUP = re.compile(r"\b[CVO]\(([^)]*)\)")


def render() -> str:
    specifications = COLLECTION.glob("roles/*/meta/argument_specs.yml")
    roles = {file.parts[-3]: _specification(file) for file in specifications}
    modules = {file.stem: _documentation(file) for file in COLLECTION.glob("plugins/modules/*.py")}
    lines = [INTRODUCTION.read_text(encoding="utf-8"), "## Roles\n", *_overview("role", roles)]
    for name, role in sorted(roles.items()):
        lines += [f"\n### {name}\n", *_options(role["options"], "variable")]
    lines += ["\n## Modules\n", *_overview("module", modules)]
    lines.append("\n`ansible-doc -t module crossmesh.nodes.<name>` shows examples, and what each returns.")
    for name, module in sorted(modules.items()):
        lines += [
            f"\n### {name}\n",
            f"{_text(module['description'])}\n",
            *_options(module["options"], "option"),
        ]
    return "\n".join(lines) + "\n"


def _specification(file: Path) -> Mapping[str, Any]:
    main: Mapping[str, Any] = yaml.safe_load(file.read_text())["argument_specs"]["main"]
    return main


def _documentation(file: Path) -> Mapping[str, Any]:
    """A module's documentation. It is read and not imported: what it imports is Ansible's."""
    for node in ast.parse(file.read_text()).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="DOCUMENTATION")], value=ast.Constant(value=str(text))):
                documentation: Mapping[str, Any] = yaml.safe_load(text)
                return documentation
    raise ValueError(f"{file} has no DOCUMENTATION")


def _overview(what: str, described: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    rows = ((name, entry["short_description"]) for name, entry in sorted(described.items()))
    return _table((what, "what it does"), rows)


def _options(options: Mapping[str, Any], what: str) -> Iterator[str]:
    rows = (
        (name, _type(option), _default(option), _text(option["description"]))
        for name, option in _flat(options)
    )
    return _table((what, "type", "default", "what it is"), rows)


def _flat(options: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, option in options.items():
        yield f"{above}{name}", option
        yield from _flat(option.get("options") or option.get("suboptions") or {}, f"{above}{name}.")


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for name, *rest in rows:
        yield f"| `{name}` | {' | '.join(rest)} |"


def _type(option: Mapping[str, Any]) -> str:
    words = f"list of {option['elements']}" if option["type"] == "list" else str(option["type"])
    choices = option.get("choices")
    return f"{words}: {', '.join(map(str, choices))}" if choices else words


def _default(option: Mapping[str, Any]) -> str:
    if option.get("required"):
        return "required"
    default = option.get("default")
    return "" if default is None else f"`{json.dumps(default)}`"


def _text(description: str | list[str]) -> str:
    text = description if isinstance(description, str) else " ".join(description)
    return _MARKUP.sub(r"`\1`", " ".join(text.split()))
