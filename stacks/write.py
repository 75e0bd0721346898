"""Change parts of a stack file and leave every other byte, comments included, as it is.

A part is replaced as whole lines: its place is found by the YAML reader, so nothing but the part is written
anew.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node

from stacks.errors import LEDGER, KeyPath, Problem, StackFileError
from stacks.ledger import Ledger
from stacks.positions import parse, syntax_problem
from stacks.shape import validate
from stacks.whole_file import write_whole

OWN = "crossmesh:"
WIDTH = 110
INTRODUCTION = """
# Who has which slice of the pools. Written by `crossmesh ledger`, append-only: a slice never moves.
"""
SALTS = ("encryptionsalt", "encryptedkey", "secretsprovider")


@dataclass(frozen=True)
class _Part:
    """A key with its value, as lines: the first, and the one behind the last, counted from 0."""

    key: str
    value: Node
    start: int
    end: int
    column: int


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Write the ledger into the stack file at `path`, in one step; lines keep their order and comments.

    Entries are added; one that the file has and `ledger` lacks, or that differs, is refused with
    `ValueError`, since a slice never moves. Raises `StackFileError` where the file cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    config = _config(_compose(text, path), path)
    at = next((part for part in config if part.key == LEDGER[-1]), None)
    lines = text.splitlines(keepends=True)
    if at:
        block, indent = _dedent(lines[at.start : at.end], at.column), at.column
        rest = (lines[: at.start], lines[at.end :])
    else:
        end, indent = (max(part.end for part in config), config[0].column) if config else (len(lines), 2)
        block, rest = (
            f"{LEDGER[-1]}: {{}}\n",
            ([*_closed(lines[:end]), _indent(INTRODUCTION, indent)], lines[end:]),
        )
    new = _indent(_merged(block, ledger, WIDTH - indent), indent)
    result = "".join([*rest[0], new, *rest[1]])
    document = parse(result, path)
    if validate(document, LEDGER, Ledger).value != ledger:
        raise ValueError(f"{path}: the ledger would not read back as it was written")
    write_whole(path, result)


def remove_secrets(path: Path) -> bool:
    """Remove the encryption's salt (or key) and Crossmesh's secrets from the stack file.

    Whether there were any.
    """
    text = path.read_text(encoding="utf-8")
    root = _compose(text, path)
    gone = [part for part in _parts(root) if part.key in SALTS]
    gone += [part for part in _config(root, path) if _is_secret(part)]
    if gone:
        write_whole(path, _without(text, gone))
    return bool(gone)


def copy_secrets(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy the encryption's salt (or key) and the named encrypted secrets from one stack file to another.

    For `pulumi config set --secret` on a scratch file: Pulumi would write all of the real one anew. What the
    target has under these keys is replaced. Raises `KeyError` where the source lacks a name.
    """
    text = source.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    root = _compose(text, source)
    top = [part for part in _parts(root) if part.key in SALTS]
    secrets = {part.key: part for part in _config(root, source) if _is_secret(part)}
    wanted = [secrets[f"{OWN}{name}"] for name in names]

    old = target.read_text(encoding="utf-8")
    replaced = {part.key for part in [*top, *wanted]}
    old_root = _compose(old, target)
    gone = [part for part in _parts(old_root) if part.key in replaced]
    gone += [part for part in _config(old_root, target) if part.key in replaced]
    kept = _without(old, gone)
    # Reading a large file takes as long as all the rest: what is unchanged is not read again.
    config = _config(_compose(kept, target) if gone else old_root, target)
    kept_lines = kept.splitlines(keepends=True)
    end, indent = (max(part.end for part in config), config[0].column) if config else (len(kept_lines), 2)
    added = [_indent(_dedent(lines[part.start : part.end], part.column), indent) for part in wanted]
    salts = ["".join(lines[part.start : part.end]) for part in top]
    result = "".join([*salts, *_closed(kept_lines[:end]), *added, *kept_lines[end:]])
    parse(result, target)
    write_whole(target, result)


def _merged(block: str, ledger: Ledger, width: int) -> str:
    """The ledger's block with what it lacks added at the end of each mapping."""
    yaml = YAML()
    yaml.width = 2**16  # lines are kept short by `_fold`, which breaks between entries only
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    tree = yaml.load(block)
    root = _child(tree, str(LEDGER[-1]), flow=False)
    wanted = ledger.model_dump(mode="json", by_alias=True)
    clusters, nodes = (_child(root, key, flow=False) for key in ("clusters", "nodes"))
    for region, slices in wanted["clusters"].items():
        _fill(_child(clusters, region, flow=True), slices)
    for region, entries in wanted["nodes"].items():
        _fill(_child(nodes, region, flow=True), entries)
    for key, mapping in (("clusters", clusters), ("nodes", nodes)):
        if not mapping:
            del root[key]
    _fold([*clusters.items(), *nodes.items()], width)
    if not root:
        root.fa.set_flow_style()
    out = io.StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


def _child(mapping: CommentedMap, key: str, *, flow: bool) -> CommentedMap:
    """The mapping below a key, made where there is none; a new or empty one gets the given style."""
    child: CommentedMap | None = mapping.get(key)
    if child is None or not child:
        child = mapping[key] = CommentedMap()
        if flow:
            child.fa.set_flow_style()
    return child


def _fold(entries: Iterable[tuple[str, CommentedMap]], width: int) -> None:
    """Give a mapping whose line would be too long one line for each entry, which also merges better."""
    for key, mapping in entries:
        if (
            len(f"    {key}: {{" + ", ".join(f"{name}: {value}" for name, value in mapping.items()) + "}")
            > width
        ):
            mapping.fa.set_block_style()


def _fill(mapping: CommentedMap, wanted: dict[str, str]) -> None:
    for key, value in wanted.items():
        if mapping.setdefault(key, value) != value:
            raise ValueError(f"{key}: {mapping[key]} would become {value}, and a slice never moves")


def _compose(text: str, path: Path) -> MappingNode:
    """The file's nodes. Raises `StackFileError` where the file is not YAML, or not a mapping."""
    try:
        root = YAML(typ="safe", pure=True).compose(io.StringIO(text))
    except YAMLError as error:
        raise StackFileError(path, [syntax_problem(error)]) from None
    if not isinstance(root, MappingNode):
        raise StackFileError(path, [_not_block(1, ())])
    return root


def _config(root: MappingNode, path: Path) -> list[_Part]:
    """The entries below `config:`, which must be written in block style."""
    for part in _parts(root):
        if part.key == "config":
            if not isinstance(part.value, MappingNode):
                return []
            if part.value.flow_style or root.flow_style:
                raise StackFileError(path, [_not_block(part.start + 1, ("config",))])
            return _parts(part.value)
    raise StackFileError(path, [_not_block(1, ("config",))])


def _not_block(line: int, path: KeyPath) -> Problem:
    return Problem(
        line,
        path,
        "no mapping in block style",
        "commands change stack files whose `config` is in block style",
        "write `config:` on a line of its own and each key on a line below it",
    )


def _parts(node: MappingNode) -> list[_Part]:
    return [
        _Part(
            str(key.value),
            value,
            key.start_mark.line,
            max(_last_line(key), _last_line(value)) + 1,
            key.start_mark.column,
        )
        for key, value in node.value
    ]


def _last_line(node: Node) -> int:
    """The last line that a value stands on.

    Of a collection in block style the mark is behind it, so look inside.
    """
    if isinstance(node, CollectionNode) and not node.flow_style:
        inner: list[Any] = [
            part for item in node.value for part in (item if isinstance(item, tuple) else (item,))
        ]
        return max((_last_line(part) for part in inner), default=int(node.start_mark.line))
    end = node.end_mark
    # A block scalar (`|`, `>`) ends at the start of the line behind it.
    return int(end.line) - 1 if end.column == 0 and end.line > node.start_mark.line else int(end.line)


def _is_secret(part: _Part) -> bool:
    keys = [str(key.value) for key, _ in part.value.value] if isinstance(part.value, MappingNode) else []
    return part.key.startswith(OWN) and keys == ["secure"]


def _without(text: str, parts: Iterable[_Part]) -> str:
    gone = {line for part in parts for line in range(part.start, part.end)}
    return "".join(line for number, line in enumerate(text.splitlines(keepends=True)) if number not in gone)


def _closed(lines: list[str]) -> list[str]:
    """The lines with an end of line behind the last, so that something can follow."""
    return [*lines[:-1], lines[-1] if lines[-1].endswith("\n") else lines[-1] + "\n"] if lines else []


def _dedent(lines: list[str], column: int) -> str:
    return "".join(line[min(column, len(line) - len(line.lstrip(" "))) :] for line in lines)


def _indent(text: str, column: int) -> str:
    return "".join(" " * column + line if line.strip() else line for line in text.splitlines(keepends=True))
