"""Where built things are kept, how they are put there, and digests of files that were read before."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab import paths


def root() -> Path:
    """The lab's cache directory of this user; made when it is missing."""
    path = paths.cache_dir()
    path.mkdir(parents=True, exist_ok=True)
    return path


def key_of(inputs: Any) -> str:
    """A key (16 hexadecimal digits) of plain JSON data: equal data, equal key."""
    canonical = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock ``name`` of the cache: two builds of one thing wait for each other.

    The lock belongs to the open file, so it goes with its process, however that ends.
    """
    with (root() / f".{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def replacing(destination: Path) -> Iterator[Path]:
    """A temporary path beside ``destination``, moved there when the block ends without an error.

    So what lies at ``destination`` is always whole. After an error the temporary file is removed.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{destination.name}.", dir=destination.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # Made private by mkstemp; others may read it, and run it where the writer made it a program.
        temporary.chmod(0o755 if temporary.stat().st_mode & 0o100 else 0o644)
        temporary.replace(destination)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


class Digests:
    """SHA-256 digests of files, remembered by path, inode, size and time of change.

    The inputs are programs of up to 100 MB; without this, finding that nothing has changed would read
    them all. A record of a file that has changed in any of these is not used.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._known: dict[str, tuple[list[int], str]] = {}
        self._changed = False
        try:
            self._known = {path: (list(stat), digest) for path, stat, digest in json.loads(store.read_text())}
        except (OSError, ValueError, TypeError):
            # Missing or damaged: it is only a memory, and is made again.
            self._known = {}

    def of(self, path: Path) -> str:
        """The SHA-256 of the file's content, in hexadecimal. Raises OSError when it cannot be read."""
        resolved = path.resolve()
        stat = resolved.stat()
        mark = [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        known = self._known.get(str(resolved))
        if known and known[0] == mark:
            return known[1]
        with resolved.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self._known[str(resolved)] = (mark, digest)
        self._changed = True
        return digest

    def save(self) -> None:
        """Write what was learnt, less the files that are gone; does nothing when nothing is new."""
        if not self._changed:
            return
        records = [[p, stat, digest] for p, (stat, digest) in sorted(self._known.items()) if Path(p).exists()]
        with replacing(self._store) as temporary:
            temporary.write_text(json.dumps(records))
        self._changed = False
