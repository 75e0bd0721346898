"""Libraries of which a build takes a part: copies of their verified sources, less what is never used."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from toolchain.errors import ToolchainError
from toolchain.manifest import Reduced


def copy(library: Reduced, source: Path, target: Path) -> None:
    """Copy what a build takes of a library. source: of the whole library, in Go's cache of modules.

    Raises ToolchainError when a package that is to be left out is imported for more than its effects.
    """
    for path in sorted({path for pattern in ("go.mod", *library.keep) for path in source.glob(pattern)}):
        tests = path.name.endswith("_test.go") or "testdata" in path.parts
        if path.is_file() and not tests:
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    if library.directory:
        # Directories in a cache of modules are read-only, and so are none here.
        shutil.copytree(library.directory, target, dirs_exist_ok=True)
    for package in library.without:
        _leave_out(package, target)


def _leave_out(package: str, target: Path) -> None:
    """Take imports of a package for its effects alone out of all files that are not its own."""
    alone = re.compile(rf'^\s*_ "{re.escape(package)}"[^\n]*\n', re.MULTILINE)
    own = target / Path(*package.split("/")[3:])
    for file in target.rglob("*.go"):
        text = file.read_text(encoding="utf-8")
        if f'"{package}"' not in text or file.is_relative_to(own):
            continue
        text = alone.sub("", text)
        if f'"{package}"' in text:
            raise ToolchainError(f"{package} cannot be left out: {file.name} uses it")
        file.write_text(text, encoding="utf-8")
