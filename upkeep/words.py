"""What was found, for people at a terminal, and as plain data."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from releases import NAMES, State, default
from upkeep.add import Added
from upkeep.compare import Difference
from upkeep.difference import Change, Definition
from upkeep.newer import Found

_STYLES = {State.MENDED: "green", State.ENDING: "yellow", State.ENDED: "bold red", State.UNSTATED: ""}
_LONG = 60
"""How much of a value is shown; JSON has all of it."""
_MANY = 30
"""How many differences of one thing are shown; likewise."""


def as_data(value: Any) -> Any:
    """What JSON takes, with keys as reports have them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {_camel(name): as_data(one) for name, one in fields.items()}
    if isinstance(value, Mapping):
        return {key: as_data(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(one) for one in value]
    return str(value) if isinstance(value, date | Path) else value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def newer(found: Iterable[Found]) -> Table:
    """The table of newer releases, a row for each minor version."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("program", "minor", "in the catalogue", "support", "until", "newer"):
        table.add_column(title, overflow="fold")
    for one in found:
        for line in one.lines:
            marks = [f"{has} (default)" if has == default(one.program) else has for has in line.has]
            table.add_row(
                NAMES[one.program],
                line.minor,
                ", ".join(marks) or "-",
                Text(line.state, _STYLES[line.state]) if line.state else "",
                str(line.until or ""),
                "not known" if one.problem else ", ".join(line.newer),
            )
    return table


def added(result: Added, steps: Iterable[str]) -> Group:
    """What was made, what it rests on, what differs, and what comes next."""
    release = result.release
    parts: list[Text | Group] = [Text(f"{release.name} was added, like {result.like.version}", "bold")]
    parts += [Text(f"  {file}") for file in result.files]
    parts.append(Text(f"  {result.modules} Go modules, each pinned with its checksum"))
    for other, fitting in result.together.items():
        none = "no release of the catalogue: no environment can name it before there is one"
        parts.append(Text(f"  goes together with {NAMES[other]}: {', '.join(fitting) or none}"))
    parts += _listed("read in its source", result.read)
    parts += _listed(f"taken over from {result.like.version}: see whether it still holds", result.taken_over)
    if result.difference:
        parts += [Text(), difference(result.difference)]
    parts += [Text(), *_listed("next", list(steps))]
    return Group(*parts)


def _listed(title: str, lines: Sequence[str]) -> list[Text]:
    return [Text(f"{title}:"), *(Text(f"  {line}") for line in lines)] if lines else []


def difference(found: Difference) -> Group:
    """The picture of what differs: + came, - went, ~ is another."""
    parts = [Text(f"{NAMES[found.program]} {found.before} → {found.after}", "bold")]
    parts += _section("the catalogue says", list(_changes(found.said)))
    parts += _section("objects", [*_came(found.objects.came), *_went(found.objects.went)])
    parts += _section("API versions", list(_changes(found.objects.api_versions)))
    parts += _section("definitions", list(_definitions(found.objects.definitions)))
    changed: list[Text] = []
    for name, values in found.objects.changed.items():
        changed += [Text(f"~ {name}", "yellow"), *(_indented(line) for line in _changes(values))]
    parts += _section("values of objects", changed)
    parts += _section(
        "settings that are made here and not known there",
        [
            Text(
                f"- {lost.chart} {lost.setting}" + (" (it still has an effect)" if lost.heeded else ""), "red"
            )
            for lost in found.settings
        ],
    )
    parts += _section("configuration", list(_changes(found.configuration)))
    parts += _section("what API servers serve", list(_changes(found.served)))
    parts += _section("not compared", [Text(line) for line in found.open])
    return Group(*(parts if len(parts) > 1 else [*parts, Text("  nothing differs")]))


def _section(title: str, lines: list[Text]) -> list[Text]:
    return [Text(f"  {title}", "bold"), *(_indented(line) for line in lines)] if lines else []


def _indented(line: Text) -> Text:
    return Text("    ").append_text(line)


def _came(names: Iterable[str]) -> Iterator[Text]:
    return (Text(f"+ {name}", "green") for name in names)


def _went(names: Iterable[str]) -> Iterator[Text]:
    return (Text(f"- {name}", "red") for name in names)


def _definitions(found: Iterable[Definition]) -> Iterator[Text]:
    for one in found:
        yield Text(f"~ {one.name}", "yellow")
        lines = [*_changes(one.versions), *_went(one.went), *_came(one.came), *_changes(one.changed)]
        yield from (_indented(line) for line in _few(lines))


def _changes(found: Sequence[Change]) -> Iterator[Text]:
    """What went comes first: it is what something may have rested on."""
    ordered = sorted(found, key=lambda one: (one.before is None, one.after is not None))
    yield from _few([line for one in ordered for line in _change(one)])


def _few(lines: Sequence[Text]) -> Iterator[Text]:
    yield from lines[:_MANY]
    if len(lines) > _MANY:
        yield Text(f"… and {len(lines) - _MANY} more (--json has all)")


def _change(change: Change) -> Iterator[Text]:
    before, after = change.before, change.after
    if isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        yield Text(f"~ {change.path}", "yellow")
        for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""):
            if not line.startswith(("---", "+++", "@@")) and line[1:].strip():
                yield Text(f"    {line[0]} {_shown(line[1:])}", "red" if line[0] == "-" else "green")
    elif before is None:
        yield Text(f"+ {change.path}: {_shown(after)}", "green")
    elif after is None:
        yield Text(f"- {change.path}: {_shown(before)}", "red")
    else:
        yield Text(f"~ {change.path}: {_shown(before)} → {_shown(after)}", "yellow")


def _shown(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    shown = " ".join(shown.split())
    return shown if len(shown) <= _LONG else f"{shown[: _LONG - 1]}…"
