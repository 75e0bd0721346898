"""What a go.mod says, as plain data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LINE = re.compile(r"(?:(require|replace|godebug|go|toolchain|tool|exclude|retract|module|ignore) )?(.+)")


@dataclass(frozen=True)
class GoMod:
    """The lines of a go.mod that matter to whoever builds its programs from another module."""

    go: str
    """The least version of Go, as it is written: `1.24.0`."""
    godebug: tuple[str, ...] = ()
    """Settings of Go's runtime that its programs are built with: `default=go1.24`."""
    requires: dict[str, str] = field(default_factory=dict)
    """Versions of the modules that it needs."""
    replaces: dict[str, str] = field(default_factory=dict)
    """What it takes for a module (with its version, where that is named): `PATH VERSION`, or a directory."""


def parse(text: str) -> GoMod:
    """Read a go.mod. Raises `ValueError` when it has no line for Go's version."""
    go, godebug, requires, replaces = "", [], {}, {}
    block: str | None = None
    for raw in text.splitlines():
        line = raw.partition("//")[0].strip()
        if line.endswith("("):
            block = line.removesuffix("(").strip()
            continue
        if line == ")":
            block = None
            continue
        if not line:
            continue
        matched = _LINE.fullmatch(line)
        assert matched is not None
        word, rest = (block, line) if block else matched.groups()
        if word == "go":
            go = rest
        elif word == "godebug":
            godebug.append(rest)
        elif word == "require":
            path, _, version = rest.partition(" ")
            requires[path] = version
        elif word == "replace":
            old, _, new = rest.partition(" => ")
            replaces[old] = new
    if not go:
        raise ValueError("a go.mod has no `go` line")
    return GoMod(go, tuple(godebug), requires, replaces)
