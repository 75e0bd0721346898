"""Directory trees in which something may be mounted."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.commands import run
from lab.errors import LabError


def remove(path: Path) -> None:
    """Delete a directory tree; what is mounted in it is unmounted first, never deleted. Raises LabError."""
    if not path.exists():
        return
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        mounted = line.split()[4]
        if mounted == str(path) or mounted.startswith(f"{path}/"):
            run(["umount", mounted], fix=f"something still uses {mounted}")
    argv = ["rm", "--recursive", "--force", "--one-file-system", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if path.exists():
        raise LabError(f"{path} cannot be deleted:\n    {done.stderr.strip()[-500:]}")
