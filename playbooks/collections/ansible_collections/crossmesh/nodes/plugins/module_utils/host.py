"""What modules do on the host: run commands, and write files whole or not at all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any


def run(*command: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command and keep what it says, whether or not it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


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
