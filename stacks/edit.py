"""Change values of a declaration where they stand: every other byte of the file, comments included, stays."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from ruamel.yaml import YAML
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from stacks.errors import ENVIRONMENT, StackFileError, render_path
from stacks.load import load_stack
from stacks.positions import parse
from stacks.whole_file import PRIVATE, write_whole

Value = bool | int | str | list[int] | list[str]
Keys = tuple[str, ...]
"""The path of a key below the environment, for example `("regions", "eu", "cluster", "encryptionKeys")`."""


def set_value(path: Path, keys: Keys, value: Value) -> bool:
    """Give one key of the environment another value. As `set_values`."""
    return set_values(path, {keys: value})


def set_values(path: Path, values: Mapping[Keys, Value]) -> bool:
    """Give keys of the environment other values, all in one step; return whether one had another one.

    values: by keys, of which all but the last part are there. Raises StackFileError where the file cannot be
    read, or would no longer be a valid declaration; then nothing is written. Raises ValueError where a place
    cannot be told.
    """
    text = changed = path.read_text(encoding="utf-8")
    wanted = {(*ENVIRONMENT, *keys): value for keys, value in values.items()}
    for where, value in wanted.items():
        if parse(changed, path).get(where) != value:
            changed = _changed(changed, where, json.dumps(value))
    if changed == text:
        return False
    document = parse(changed, path)
    for where, value in wanted.items():
        if document.get(where) != value:
            raise ValueError(f"{path}: {render_path(where)} would not read back as {value}")
    with TemporaryDirectory() as directory:
        draft = Path(directory, path.name)
        write_whole(draft, changed, mode=PRIVATE)
        try:
            load_stack(draft)
        except StackFileError as error:
            raise StackFileError(path, error.problems) from None
    write_whole(path, changed)
    return True


def _changed(text: str, where: tuple[str | int, ...], value: str) -> str:
    *parents, last = where
    found = YAML(typ="safe", pure=True).compose(io.StringIO(text))
    for key in parents:
        found = _child(found, str(key))
    if not isinstance(found, MappingNode) or not found.value:
        raise ValueError(f"{render_path(where[:-1])} is no mapping with keys")
    entry = _entry(found, str(last))
    if entry is not None:
        name, there = entry
        start, end = there.start_mark.index, _end(text, there)
        # Items of a list may stand below their key, in its column, where nothing else may.
        room = "  " if there.start_mark.column <= name.start_mark.column else ""
        return text[:start] + room + value + text[end:]
    line = f"{last}: {value}"
    first, its = found.value[0]
    if not found.flow_style and isinstance(its, ScalarNode) and its.style is None:
        # On a line of its own behind the first, which says what kind of thing it is; comments stay with it.
        end = text.find("\n", its.end_mark.index)
        head, rest = (text, "") if end < 0 else (text[: end + 1], text[end + 1 :])
        head += "" if head.endswith("\n") else "\n"
        return f"{head}{' ' * first.start_mark.column}{line}\n{rest}"
    start = first.start_mark.index
    between = ", " if found.flow_style else f"\n{' ' * first.start_mark.column}"
    return text[:start] + line + between + text[start:]


def _child(node: Node | None, key: str) -> Node | None:
    entry = _entry(node, key)
    return entry[1] if entry else None


def _entry(node: Node | None, key: str) -> tuple[Node, Node] | None:
    """A key of a mapping, and its value."""
    if not isinstance(node, MappingNode):
        return None
    return next(((name, value) for name, value in node.value if str(name.value) == key), None)


def _end(text: str, node: Node) -> int:
    """Behind the last character of a value. Marks are behind what follows collections in block style."""
    end = int(node.end_mark.index)
    if not isinstance(node, CollectionNode) or node.flow_style:
        return end
    last = node.value[-1]
    return _end(text, last[1] if isinstance(last, tuple) else last)
