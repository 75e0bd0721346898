"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, content: str, mode: int) -> None:
    """Replace the file in one step, and make its directory. It is never readable with another mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        stream.write(content)
        stream.flush()
        # The mode that it was opened with is cut by the umask.
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    partial.replace(path)
