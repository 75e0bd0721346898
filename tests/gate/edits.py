"""Make a change to a copy of the project."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from stacks.load import stack_path
from tests.gate.cases import Edits, Replacement

_SEGMENT = re.compile(r"\[(\d+)\]|\.?([^.\[]+)")
_ENVIRONMENT = "crossmesh:environment"


def apply(edits: Edits, root: Path, stack: str) -> None:
    """Make edits to the project at `root`, whose stack is `stack`.

    Raises `ValueError` for what is not there to be changed: the case is then out of date.
    """
    if edits.rename or edits.delete or edits.set:
        _rewrite(stack_path(stack, root), edits)
    for entry in edits.replace:
        _replace(root, entry)
    for name, text in edits.write.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, text in edits.append.items():
        with (root / name).open("a", encoding="utf-8") as file:
            file.write(text)


def keys(path: str) -> list[str | int]:
    """Keys below `config` of a path as errors of stack files write it."""
    found = [int(index) if index else name for index, name in _SEGMENT.findall(path)]
    return found if ":" in str(found[0]) else [_ENVIRONMENT, *found]


def _rewrite(path: Path, edits: Edits) -> None:
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 200, True
    document = yaml.load(path.read_text(encoding="utf-8"))
    config = document["config"]
    for where, name in edits.rename.items():
        holder, last = _holder(config, where)
        _present(holder, last, where)
        place = list(holder).index(last)
        holder.insert(place, name, holder.pop(last))
    for where in edits.delete:
        holder, last = _holder(config, where)
        _present(holder, last, where)
        del holder[last]
    for where, value in edits.set.items():
        holder, last = _holder(config, where, make=CommentedMap)
        holder[last] = value
    buffer = io.StringIO()
    yaml.dump(document, buffer)
    path.write_text(buffer.getvalue(), encoding="utf-8")


def _holder(config: Any, path: str, make: Callable[[], Any] | None = None) -> tuple[Any, str | int]:
    """What holds the value at a path, and under which key. `make`: for mappings that are not there."""
    *parents, last = keys(path)
    at = config
    for key in parents:
        if isinstance(key, str) and key not in at and make is not None:
            at[key] = make()
        _present(at, key, path)
        at = at[key]
    return at, last


def _present(holder: Any, key: str | int, path: str) -> None:
    there = key < len(holder) if isinstance(key, int) else key in holder
    if not there:
        raise ValueError(f"{path}: there is no {key!r} in the stack file")


def _replace(root: Path, entry: Replacement) -> None:
    path = root / entry.file
    text = path.read_text(encoding="utf-8")
    if (times := text.count(entry.old)) != 1:
        raise ValueError(
            f"{entry.file}: the text to replace stands there {times} times, not once: {entry.old}"
        )
    path.write_text(text.replace(entry.old, entry.new), encoding="utf-8")
