"""Role variables that are texts of files of this machine, such as the keys that sign what hosts install.

Digests are made of what the files say: a key that is rotated at its path is a change, and another path of the
same key is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playbooks.provider.values import UNKNOWN
from report.errors import OperationsError
from stacks import digests


def sums(paths: Any, before: Any) -> Any:
    """SHA-256 (hex) of each file, in the shape of `paths`: a path, or a mapping of such.

    A preview needs no files. One that this machine does not have counts as unchanged: it has the sum that
    `before` has in its place, and `UNKNOWN` where that has none.
    """
    if isinstance(paths, Mapping):
        earlier = before if isinstance(before, Mapping) else {}
        return {name: sums(path, earlier.get(name)) for name, path in paths.items()}
    try:
        return digests.of_bytes(Path(paths).read_bytes())
    except OSError:
        return before if isinstance(before, str) else UNKNOWN


def texts(paths: Any) -> Any:
    """The text of each file, in the shape of `paths`. Raises OperationsError for one that cannot be read."""
    if isinstance(paths, Mapping):
        return {name: texts(path) for name, path in paths.items()}
    try:
        return Path(paths).read_text()
    except (OSError, UnicodeDecodeError) as exc:
        msg = f"{paths} cannot be read on this machine: {exc.strerror if isinstance(exc, OSError) else exc}"
        raise OperationsError(msg, fix="copy it there, or correct its path in the stack file") from exc
