"""Digests of values, files and directories, the same on every machine for the same content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ABSENT = "absent"
"""What stands for the digest of a file that is not there."""
_SHOWN = 12


def canonical(value: Any) -> bytes:
    """A JSON value as bytes: sorted keys, no spaces, ASCII. Equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def of_value(value: Any) -> str:
    """SHA-256 (hex) of a JSON value."""
    return of_bytes(canonical(value))


def of_bytes(content: bytes) -> str:
    """SHA-256 (hex)."""
    return hashlib.sha256(content).hexdigest()


def of_file(path: Path) -> str:
    """SHA-256 (hex) of a file's content; `ABSENT` if there is none. A link counts as what it leads to."""
    return of_bytes(path.read_bytes()) if path.is_file() else ABSENT


def of_tree(path: Path) -> str:
    """SHA-256 (hex) over names and contents of a directory's files; of a single file its content's."""
    return of_files(path, files_below(path)) if path.is_dir() else of_file(path)


def of_files(root: Path, files: Iterable[Path]) -> str:
    """SHA-256 (hex) over names below `root` and contents of files, in whichever order they are given."""
    return of_value([[file.relative_to(root).as_posix(), of_file(file)] for file in sorted(files)])


def files_below(directory: Path) -> Iterable[Path]:
    """A directory's files, sorted, without what Python compiles beside them."""
    files = (path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(files)


def shown(value: str) -> str:
    """A digest as people compare it: its beginning. Other values as they are."""
    is_digest = len(value) >= 40 and not set(value) - set("0123456789abcdef")
    return f"{value[:_SHOWN]}…" if is_digest else value
