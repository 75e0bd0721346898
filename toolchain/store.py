"""The cache of installed programs: one directory per program and version, put in place by one rename.

Layout of `$XDG_CACHE_HOME/crossmesh/toolchain` (default `~/.cache/crossmesh/toolchain`):

    <name>-<version>/<name>        the program, or a link to the one on PATH
    <name>-<version>/record.json   where it came from, its recipe and the digest of each file
    bin/                           links to the programs that operators use
    downloads/, build/             work in progress
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from toolchain.errors import ToolchainError
from toolchain.progress import say

RECORD = "record.json"


def cache_dir() -> Path:
    """The project's cache directory of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crossmesh"


def state_dir() -> Path:
    """The project's state directory of this user."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "crossmesh"


def store_dir() -> Path:
    """Where programs are installed."""
    return cache_dir() / "toolchain"


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


@dataclass(frozen=True)
class FileRecord:
    """What a file was when it was installed. `path` is relative to the entry, or absolute (from PATH)."""

    path: str
    sha256: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Record:
    """An installed entry. `origin` is `path`, `release`, `source`, `wheel` or `project`."""

    name: str
    version: str
    origin: str
    detail: str
    recipe: str
    files: tuple[FileRecord, ...]


def entry_dir(name: str, version: str) -> Path:
    """Directory of one program or data set in one version."""
    return store_dir() / f"{name}-{version}"


def read_record(name: str, version: str) -> Record | None:
    """The record of an installed entry, or None when it is absent or unreadable."""
    try:
        raw = json.loads((entry_dir(name, version) / RECORD).read_text())
        return Record(**{**raw, "files": tuple(FileRecord(**entry) for entry in raw["files"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def is_current(record: Record | None, recipe: str) -> bool:
    """Whether an entry is there, of this recipe, with files of the size and time that they had: cheap."""
    if record is None:
        return False
    if record.origin != "path" and record.recipe != recipe:
        return False
    base = entry_dir(record.name, record.version)
    for entry in record.files:
        try:
            status = (base / entry.path).stat()
        except OSError:
            return False
        if (status.st_size, status.st_mtime_ns) != (entry.size, entry.mtime_ns):
            return False
    return (base / record.name).exists()


def problems(record: Record) -> list[str]:
    """What differs between an entry's files and its record, by content; empty when all is well."""
    base = entry_dir(record.name, record.version)
    found = []
    for entry in record.files:
        path = base / entry.path
        if not path.is_file():
            found.append(f"{path} is missing")
        elif (digest := file_digest(path)) != entry.sha256:
            found.append(f"{path} has SHA-256 {digest}, was installed with {entry.sha256}")
    return found


@contextmanager
def new_entry(
    name: str, version: str, origin: str, detail: str, recipe: str, *, measured: bool = True
) -> Iterator[Path]:
    """A fresh directory that replaces the entry if the block ends well, and disappears if it does not.

    Its record, of all files if `measured`, is the last thing before the rename. The rest is as in `Record`.
    """
    store_dir().mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=store_dir()))
    work.chmod(0o755)
    try:
        yield work
        paths = sorted(path for path in work.rglob("*") if path.is_file()) if measured else []
        record = Record(name, version, origin, detail, recipe, tuple(_measured(work, path) for path in paths))
        (work / RECORD).write_text(json.dumps(asdict(record), indent=1) + "\n")
        target = entry_dir(name, version)
        # A directory cannot be renamed over a full one, so the old one steps aside first. Who is killed in
        # between finds the entry absent and makes it again.
        if target.exists():
            aside = work.with_name(work.name + ".old")
            target.rename(aside)
            work.rename(target)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            work.rename(target)
    finally:
        if work.exists():
            shutil.rmtree(work, ignore_errors=True)


def _measured(work: Path, path: Path) -> FileRecord:
    name = path.readlink() if path.is_symlink() else path.relative_to(work)
    status = path.stat()
    return FileRecord(str(name), file_digest(path), status.st_size, status.st_mtime_ns)


def link(path: Path, target: str | Path) -> None:
    """Make `path` a symbolic link to `target`, in one step, where it is none yet."""
    if path.is_symlink() and path.readlink() == Path(target):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.rename(path)


def clear_leftovers() -> None:
    """Remove directories that an interrupted installation left. Call it with the lock held."""
    for leftover in store_dir().glob(".*-*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def locked(path: Path, busy: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock file `path`. While another has it, `busy` gets the id of that process, and may raise."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.seek(0)
                if busy:
                    busy(stream.read().strip() or "?")
                fcntl.flock(stream, fcntl.LOCK_EX)
            # Its last user may have taken the file away: a lock on a deleted one protects nothing.
            if os.fstat(stream.fileno()).st_nlink == 0:
                continue
            stream.truncate(0)
            stream.write(str(os.getpid()))
            stream.flush()
            yield
            return


def lock() -> AbstractContextManager[None]:
    """Hold the store against other installations; waits for them and says so."""
    return locked(
        store_dir() / ".lock",
        lambda owner: say(f"another installation (process {owner}) is under way, waiting for it"),
    )


def free_space(required: int) -> None:
    """Raise ToolchainError when the store's file system has less than `required` bytes."""
    store_dir().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store_dir()).free
    if free < required:
        raise ToolchainError(
            f"{store_dir()} has {free / 2**30:.1f} GiB free, {required / 2**30:.1f} GiB are needed. "
            "Free some space or set XDG_CACHE_HOME to a larger file system."
        )
