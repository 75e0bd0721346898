"""The files that decide what is applied: the program, its components, plays, models and tools."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from access import git
from stacks import digests

_READ = frozenset({"access", "components", "playbooks", "releases", "stacks", "toolchain"})
"""Directories of which every file counts, whatever it is."""
_UNREAD = frozenset({"benchmarks", "docs", "lab", "policies", "solution", "tests"})
"""Directories of which no file counts. Policies are bound by themselves."""
_IMPORTABLE = frozenset({".py", ".pyc", ".pth", ".so"})
_PROJECT_FILES = frozenset({"Pulumi.yaml", "pyproject.toml"})
_ELSEWHERE = frozenset({"toolchain/versions.toml"})
"""Bound by what they say."""
_TIMEOUT = 60


def program(root: Path) -> Mapping[str, str]:
    """Digest of each file below `root` that counts, by its name relative to it, sorted.

    What git ignores does not count. Neither does a report or a sealed plan that lies beside the program.
    """
    names = git.files(root)
    if names is None:
        names = [path.relative_to(root).as_posix() for path in digests.files_below(root)]
    return {name: digests.of_file(root / name) for name in sorted(names) if counts(name)}


def counts(name: str) -> bool:
    """Whether the program could read the file: by its name, relative to the root, with '/'."""
    path = PurePosixPath(name)
    top = path.parts[0]
    if len(path.parts) == 1:
        # A module beside the program would be imported in place of an installed one.
        return name in _PROJECT_FILES or path.suffix in _IMPORTABLE
    if top in _UNREAD or name in _ELSEWHERE or _is_stack_file(path):
        return False
    return top in _READ or path.suffix in _IMPORTABLE


def _is_stack_file(path: PurePosixPath) -> bool:
    """Stack files are bound one by one: that of another stack does not concern this one."""
    return path.parent == PurePosixPath("stacks") and path.match("Pulumi.*.yaml")


def differing(root: Path) -> tuple[str, ...]:
    """Files below `root` that differ from the commit, with new ones that git does not ignore, sorted.

    Empty outside of git.
    """
    found: set[str] = set()
    for arguments in (
        ("diff", "--name-only", "--relative", "HEAD"),
        ("ls-files", "--others", "--exclude-standard"),
    ):
        found.update(_git(root, *arguments, "-z"))
    return tuple(sorted(found))


def _git(root: Path, *arguments: str) -> list[str]:
    """Names that git prints; none outside of git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        return []
    return [name for name in done.stdout.decode().split("\0") if name] if done.returncode == 0 else []
