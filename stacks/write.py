"""Change parts of a stack file and leave every other byte, comments included, as it is.

A part is replaced as whole lines: its place is found by the YAML reader, so nothing but the part is written
anew.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
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

    @property
    def is_secret(self) -> bool:
        """Whether it is a secret of Crossmesh."""
        keys = [str(key.value) for key, _ in self.value.value] if isinstance(self.value, MappingNode) else []
        return self.key.startswith(OWN) and keys == ["secure"]


class _Lines:
    """A stack file's lines, and which of them are its parts: at the top, and below `config`.

    Raises `StackFileError` where the file is not YAML, or not a mapping in block style.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.all = text.splitlines(keepends=True)
        try:
            root = YAML(typ="safe", pure=True).compose(io.StringIO(text))
        except YAMLError as error:
            raise StackFileError(path, [syntax_problem(error)]) from None
        if not isinstance(root, MappingNode):
            raise StackFileError(path, [_not_block(1, ())])
        self.top = _parts(root)
        config = next((part for part in self.top if part.key == "config"), None)
        if config is None:
            raise StackFileError(path, [_not_block(1, ("config",))])
        self.config: list[_Part] = []
        if isinstance(config.value, MappingNode):
            if config.value.flow_style or root.flow_style:
                raise StackFileError(path, [_not_block(config.start + 1, ("config",))])
            self.config = _parts(config.value)
        self.end = max((part.end for part in self.config), default=len(self.all))
        """The line behind the last of `config`."""
        self.indent = self.config[0].column if self.config else 2

    def block(self, part: _Part) -> str:
        """A part as it is at the top."""
        lines = self.all[part.start : part.end]
        return "".join(line[min(part.column, len(line) - len(line.lstrip(" "))) :] for line in lines)

    def without(self, parts: Iterable[_Part]) -> str:
        """The text of all other lines."""
        gone = {line for part in parts for line in range(part.start, part.end)}
        return "".join(line for number, line in enumerate(self.all) if number not in gone)

    def extended(self, block: str) -> str:
        """The text with a block of lines more at the end of `config`."""
        head = "".join(self.all[: self.end])
        end = "" if head.endswith("\n") or not head else "\n"
        return "".join([head, end, indent(block, " " * self.indent), *self.all[self.end :]])


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Write the ledger into the stack file at `path`, in one step; lines keep their order and comments.

    Entries are added; one that the file has and `ledger` lacks, or that differs, is refused with
    `ValueError`, since a slice never moves. Raises `StackFileError` where the file cannot be read.
    """
    lines = _Lines(path, path.read_text(encoding="utf-8"))
    part = next((part for part in lines.config if part.key == LEDGER[-1]), None)
    if part:
        block = _merged(lines.block(part), ledger, WIDTH - part.column)
        before, after = lines.all[: part.start], lines.all[part.end :]
        result = "".join([*before, indent(block, " " * part.column), *after])
    else:
        block = _merged(f"{LEDGER[-1]}: {{}}\n", ledger, WIDTH - lines.indent)
        result = lines.extended(INTRODUCTION + block)
    document = parse(result, path)
    if validate(document, LEDGER, Ledger).value != ledger:
        raise ValueError(f"{path}: the ledger would not read back as it was written")
    write_whole(path, result)


def remove_secrets(path: Path) -> bool:
    """Remove the encryption's salt (or key) and Crossmesh's secrets; whether the file had any."""
    lines = _Lines(path, path.read_text(encoding="utf-8"))
    gone = [part for part in lines.top if part.key in SALTS]
    gone += [part for part in lines.config if part.is_secret]
    if gone:
        write_whole(path, lines.without(gone))
    return bool(gone)


def copy_secrets(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy the encryption's salt (or key) and the named encrypted secrets from one stack file to another.

    For `pulumi config set --secret` on a scratch file: Pulumi would write all of the real one anew. What the
    target has under these keys is replaced. Raises `KeyError` where the source lacks a name.
    """
    new = _Lines(source, source.read_text(encoding="utf-8"))
    salts = [part for part in new.top if part.key in SALTS]
    secrets = {part.key: part for part in new.config if part.is_secret}
    wanted = [secrets[f"{OWN}{name}"] for name in names]

    lines = _Lines(target, target.read_text(encoding="utf-8"))
    replaced = {part.key for part in [*salts, *wanted]}
    gone = [part for part in [*lines.top, *lines.config] if part.key in replaced]
    if gone:  # reading a large file takes as long as all the rest: what is unchanged is not read again
        lines = _Lines(target, lines.without(gone))
    added = lines.extended("".join(map(new.block, wanted)))
    result = "".join([*map(new.block, salts), added])
    parse(result, target)
    write_whole(target, result)


def _merged(block: str, ledger: Ledger, width: int) -> str:
    """The ledger's block with what it lacks added at the end of each mapping.

    A mapping whose line would be too long gets one line for each entry, which also merges better.
    """
    yaml = YAML()
    yaml.width = 2**16  # lines are broken here, between entries only
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    tree = yaml.load(block)
    root = _child(tree, str(LEDGER[-1]), flow=False)
    for key, regions in ledger.model_dump(mode="json", by_alias=True).items():
        mapping = _child(root, key, flow=False)
        for region, slices in regions.items():
            entries = _child(mapping, region, flow=True)
            for name, slice_ in slices.items():
                if entries.setdefault(name, slice_) != slice_:
                    raise ValueError(
                        f"{name}: {entries[name]} would become {slice_}, and a slice never moves"
                    )
            words = ", ".join(f"{name}: {slice_}" for name, slice_ in entries.items())
            if len(f"    {region}: {{{words}}}") > width:
                entries.fa.set_block_style()
        if not mapping:
            del root[key]
    if not root:
        root.fa.set_flow_style()
    out = io.StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


def _child(mapping: CommentedMap, key: str, *, flow: bool) -> CommentedMap:
    """The mapping below a key, made where there is none; a new or empty one gets the given style."""
    if not mapping.get(key):
        mapping[key] = CommentedMap()
        if flow:
            mapping[key].fa.set_flow_style()
    child: CommentedMap = mapping[key]
    return child


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
    """The last line that a value stands on. Marks are behind collections in block style: look inside."""
    if isinstance(node, CollectionNode) and not node.flow_style:
        inner: list[Any] = [
            part for item in node.value for part in (item if isinstance(item, tuple) else (item,))
        ]
        return max((_last_line(part) for part in inner), default=int(node.start_mark.line))
    end = node.end_mark
    # A block scalar (`|`, `>`) ends at the start of the line behind it.
    return int(end.line) - 1 if end.column == 0 and end.line > node.start_mark.line else int(end.line)
