"""What is wrong with a stack file, said so that it can be mended without reading any code."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

KeyPath = tuple[str | int, ...]
"""Where a value lies in a stack file: mapping keys and list indexes, from the top of the file."""

ENVIRONMENT: KeyPath = ("config", "crossmesh:environment")
LEDGER: KeyPath = ("config", "crossmesh:ledger")


def value_at(value: Any, path: Iterable[str | int]) -> Any:
    """The value at a path; None where there is none."""
    for part in path:
        try:
            value = value[part]
        except (IndexError, KeyError, TypeError):
            return None
    return value


def joined(path: Iterable[str | int], index: str = "") -> str:
    """A path as people write it: `spec.ports[0].port`; with `index` instead of numbers, if given."""
    text = ""
    for part in path:
        text += f"[{index or part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def render_path(path: KeyPath) -> str:
    """Write a key path of a stack file: `regions.eu.cluster`, `ingresses.shop.paths[0]`."""
    if path[: len(ENVIRONMENT)] == ENVIRONMENT and len(path) > len(ENVIRONMENT):
        path = path[len(ENVIRONMENT) :]
    elif path[:1] == ("config",) and len(path) > 1:
        path = path[1:]
    return joined(path) or "the file"


def render_file(path: Path) -> str:
    """Write a file's path relative to the working directory, if below it, as editors and CI link it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def is_encrypted(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value of a stack file is a secret, as the engine writes it."""
    return isinstance(value, dict) and set(value) == {"secure"}


@dataclass(frozen=True)
class Problem:
    """One problem of a stack file."""

    line: int
    """From 1; 0 where there is none, of a file that is missing."""
    path: KeyPath
    got: str
    """Never a secret."""
    rule: str
    fix: str

    def render(self, file: str) -> str:
        """The problem as a block of four lines or more, the first in the form that editors link."""
        place = f"{file}:{self.line}" if self.line else file
        lines = [f"{place}: {render_path(self.path)}"]
        for title, text in (("got", self.got), ("rule", self.rule), ("fix", self.fix)):
            first, *rest = text.splitlines() or [""]
            lines.append(f"    {title + ':':<6}{first}")
            lines.extend(f"          {more}" for more in rest)
        return "\n".join(lines)


class StackFileError(Exception):
    """A stack file that cannot be used, with all its problems in the order of their lines."""

    def __init__(self, file: Path, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, render_path(problem.path))))
        super().__init__(file, self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        name = render_file(self.file)
        blocks = [problem.render(name) for problem in self.problems]
        return "\n".join([*blocks, f"{name}: {count} problem{'s' if count != 1 else ''}"])
