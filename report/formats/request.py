"""What reports are asked for, checked before anything runs: no gate is to end on a misspelt path."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from report.errors import ConfigurationError

FORMATS = ("terminal", "markdown", "json", "sarif", "junit", "svg")
STANDARD_OUTPUT = "-"
_STACK = "{stack}"
_ALSO_STANDARD_OUTPUT = frozenset({"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})


@dataclass(frozen=True)
class ReportRequest:
    """One report. `path` may have `{stack}` in it; `-` is standard output."""

    format: str
    path: str

    @property
    def to_standard_output(self) -> bool:
        """Whether it goes there and nothing else may."""
        return self.path == STANDARD_OUTPUT

    @property
    def per_stack(self) -> bool:
        """Whether each stack has a file of its own."""
        return _STACK in self.path

    def __str__(self) -> str:
        return f"--report {self.format}={self.path}"

    def file(self, stack: str = "") -> Path:
        """The file of a stack, or of all of them."""
        return Path(self.path.replace(_STACK, stack))


def requests(wanted: Sequence[str], stacks: Sequence[str], *, terminal: bool = True) -> list[ReportRequest]:
    """Read `FORMAT=PATH` of the command line; add the terminal's report if none is for standard output and
    `terminal` is set.

    Raises `ConfigurationError` (exit code 2) that names everything that would keep a report from being
    written.
    """
    problems: list[str] = []
    parsed = [request for text in wanted if (request := _parse(text, problems))]
    owners: dict[str, ReportRequest] = {}
    for request in parsed:
        problems += _shape(request, stacks)
        for file in [request.file(stack) for stack in stacks] if request.per_stack else [request.file()]:
            # Two names of one file are one, links followed.
            identity = str(file) if is_special(file) else os.path.realpath(file)
            other = owners.setdefault(identity, request)
            if other is not request:
                problems.append(_twice(request, other))
            elif not request.to_standard_output:
                problems += _unwritable(request, file)
    if problems:
        raise ConfigurationError("\n".join(dict.fromkeys(problems)))
    if terminal and not any(request.to_standard_output for request in parsed):
        parsed.append(ReportRequest("terminal", STANDARD_OUTPUT))
    return parsed


def _parse(text: str, problems: list[str]) -> ReportRequest | None:
    format, _, path = text.partition("=")
    if not path:
        problems.append(
            f"--report {text}: no file is named. Give FORMAT=PATH, for example markdown=gate.md; "
            "PATH - is standard output."
        )
    elif format not in FORMATS:
        problems.append(f"--report {text}: there is no format {format!r}. There are: {', '.join(FORMATS)}.")
    else:
        return ReportRequest(format, STANDARD_OUTPUT if path in _ALSO_STANDARD_OUTPUT else path)
    return None


def _shape(request: ReportRequest, stacks: Sequence[str]) -> list[str]:
    if request.format == "svg" and len(stacks) > 1 and not request.per_stack:
        return [
            f"{request}: a picture shows one stack, and there are {len(stacks)}. "
            f"Put {_STACK} into the path for a file each, for example svg=gate-{_STACK}.svg."
        ]
    if request.per_stack and any("/" in stack for stack in stacks):
        return [f"{request}: a stack's name with '/' is no part of a file's name."]
    return []


def _twice(request: ReportRequest, other: ReportRequest) -> str:
    both = f"{other} and {request}"
    if request.to_standard_output:
        return f"{both}: only one report can go to standard output. Give the others a file each."
    return f"{both} would be written to the same file. Give them a file each."


def _unwritable(request: ReportRequest, file: Path) -> list[str]:
    directory = Path(os.path.realpath(file)).parent
    if file.is_dir():
        return [f"{request}: {file} is a directory. Name a file in it."]
    if not directory.is_dir():
        return [f"{request}: there is no directory {directory}. Make it first, or name another."]
    if is_special(file):
        writable = os.access(file, os.W_OK)
    else:
        writable = os.access(directory, os.W_OK | os.X_OK)
    return [] if writable else [f"{request}: {file} may not be written by this user. Name another file."]


def is_special(file: Path) -> bool:
    """Whether a path is there and no ordinary file: a device or a pipe, which can only be written into."""
    try:
        return not stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return False
