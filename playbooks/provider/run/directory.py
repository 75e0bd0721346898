"""The directory of a run: in memory, for this user alone, gone with the run."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from playbooks.provider.run.processes import start_time
from report.errors import OperationsError

_PRIVATE = 0o700


def base_directory() -> Path:
    """Return where this user's runs have their directories. Raises OperationsError when it is another's."""
    shared = Path("/dev/shm")
    parent = shared if shared.is_dir() else Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if not parent.is_dir():
        msg = "no file system in memory was found for the runs' directories (/dev/shm, XDG_RUNTIME_DIR)"
        raise OperationsError(msg, fix="mount a tmpfs on /dev/shm: secrets are not written to disks")
    base = parent / f"crossmesh-{os.getuid()}"
    base.mkdir(mode=_PRIVATE, exist_ok=True)
    status = base.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or base.is_symlink():
        msg = f"{base} belongs to somebody else, or others may read it"
        raise OperationsError(msg, fix=f"remove {base}")
    return base


def create() -> Path:
    """Return a new empty directory of this process."""
    name = f"{os.getpid()}-{start_time(os.getpid())}-{secrets.token_hex(4)}"
    directory = base_directory() / name
    directory.mkdir(mode=_PRIVATE)
    return directory


def remove_leftovers() -> None:
    """Remove directories whose process is dead. Their base stays: a run may just begin in it."""
    for directory in base_directory().iterdir():
        pid, _, rest = directory.name.partition("-")
        if pid.isdigit() and start_time(int(pid)) != rest.partition("-")[0]:
            shutil.rmtree(directory, ignore_errors=True)
