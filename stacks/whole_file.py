"""Write a file whole or not at all: who reads it finds the old content or the new one, and nobody a part."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

PRIVATE = 0o600
"""Mode of a file for its owner only."""


def write_whole(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Replace the content of `path` in one step; of a link, that of the file which it leads to.

    mode: permissions, from the first byte on; None keeps those that the file has, and leaves a new one's to
    the umask. Raises `OSError` if it cannot be written; what was there is then still there.
    """
    target = Path(os.path.realpath(path))
    if mode is None and target.exists():
        mode = target.stat().st_mode & 0o7777
    draft = target.parent / f".crossmesh-{secrets.token_hex(8)}"
    # `open` leaves the mode to the umask; modules for temporary files do not.
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else PRIVATE)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            if mode is not None:
                os.fchmod(handle, mode)
            os.fsync(handle)
        draft.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
