"""Read YAML into plain data and remember the line of every key, so that an error can point at it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from stacks.errors import KeyPath, Problem, StackFileError, value_at

MERGE_TAG = "tag:yaml.org,2002:merge"


@dataclass
class Document:
    """A YAML file as plain data (mapping keys are text), with lines and the problems found on the way."""

    path: Path
    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    texts: dict[KeyPath, str] = field(default_factory=dict)
    """What stands in the file where a value is no text: `1.30` is the number 1.3."""
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: KeyPath) -> int:
        """The line of a key path, counted from 1; of its nearest ancestor where there is no such path."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: KeyPath, got: str, rule: str, fix: str) -> None:
        """Note a problem at a key path."""
        self.problems.append(Problem(self.line(path), path, got, rule, fix))

    def get(self, path: KeyPath) -> Any:
        """The value at a key path, or None where there is none."""
        return value_at(self.data, path)


def read(path: Path) -> Document:
    """Read one YAML document.

    Raises `StackFileError` where the file is not YAML. Duplicate keys are problems of the returned document,
    since the rest of it can still be checked.
    """
    try:
        return parse(path.read_text(encoding="utf-8-sig"), path)
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        rule = "a stack file is text in UTF-8"
        problem = Problem(line, (), "bytes that are no UTF-8", rule, "save it as UTF-8")
        raise StackFileError(path, [problem]) from None


def parse(text: str, path: Path) -> Document:
    """As `read`, of text that is at hand already; `path` names it in errors."""
    yaml = YAML(typ="safe", pure=True)
    document = Document(path)
    try:
        root = yaml.compose(io.StringIO(text))
        if root is not None:
            document.lines[()] = _line(root)
            document.data = _Reader(yaml, document).value(root, ())
    except YAMLError as error:
        raise StackFileError(path, [syntax_problem(error)]) from None
    except RecursionError:
        rule = "a declaration is a few levels deep"
        deep = Problem(1, (), "values in values without end", rule, "write it without such nesting")
        raise StackFileError(path, [deep]) from None
    return document


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def syntax_problem(error: YAMLError) -> Problem:
    """A problem that says what a file that is not YAML looks like to the reader."""
    line, what = 1, str(error)
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = " ".join(part for part in (error.context, error.problem) if part)
    advice = "no tabs, indentation by spaces, quotes and brackets closed"
    fix = f"mend the syntax there or on the line before ({advice})"
    return Problem(line, (), what, "a stack file is one YAML document", fix)


class _Reader:
    """Turns nodes into plain values; aliases and merge keys (`<<`) are followed, as by Pulumi's reader."""

    def __init__(self, yaml: YAML, document: Document) -> None:
        self._constructor = yaml.constructor
        self._document = document
        self._open: set[int] = set()

    def value(self, node: Node, path: KeyPath) -> Any:
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            self._problem(
                node, path, "an alias of what it lies in", "a value does not contain itself", "write it out"
            )
            return None
        self._open.add(id(node))
        value = self._mapping(node, path) if isinstance(node, MappingNode) else self._sequence(node, path)
        self._open.discard(id(node))
        return value

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        try:
            value = self._constructor.construct_object(node)
            if value is not None and not isinstance(value, str):
                self._document.texts[path] = str(node.value)
            return value
        except ValueError:
            # Of what looks like a date or a number by its form, and is none.
            self._problem(
                node, path, str(node.value), "a date or number exists", "correct it, or quote it as text"
            )
            return str(node.value)

    def _sequence(self, node: Node, path: KeyPath) -> list[Any]:
        items = []
        for index, item in enumerate(node.value):
            self._document.lines[(*path, index)] = _line(item)
            items.append(self.value(item, (*path, index)))
        return items

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[MappingNode] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._problem(
                    key_node, path, "a key that is a mapping or a list", "keys are text", "write a plain key"
                )
            elif str(key_node.tag) == MERGE_TAG:
                sources = value_node.value if isinstance(value_node, SequenceNode) else [value_node]
                merged += [source for source in sources if isinstance(source, MappingNode)]
            else:
                self._entry(result, key_node, value_node, path)
        for source in merged:
            for key, value in self._mapping(source, path).items():
                result.setdefault(key, value)
        return result

    def _entry(self, result: dict[str, Any], key_node: ScalarNode, value_node: Node, path: KeyPath) -> None:
        key = str(key_node.value)
        here = (*path, key)
        if key in result:
            self._problem(
                key_node,
                here,
                f"the key '{key}' again; it stands on line {self._document.lines[here]} already",
                "a key stands once in its mapping (the later value would silently win)",
                "remove one of the two, or rename it",
            )
            return
        self._document.lines[here] = _line(key_node)
        result[key] = self.value(value_node, here)

    def _problem(self, node: Node, path: KeyPath, got: str, rule: str, fix: str) -> None:
        self._document.problems.append(Problem(_line(node), path, got, rule, fix))
