"""Layers: deterministic tar archives made of declared files."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal

from lab import cache
from lab.errors import LabError

Kind = Literal["file", "directory", "symlink"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One path in a layer.

    ``path`` is relative to the image's root, without a leading slash. A file has its bytes either in
    ``source`` (read when the layer is written) or in ``content``; a symbolic link has its ``target``.
    Every entry is written with the time 0, so the bytes of a layer depend on its entries alone.
    """

    path: str
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    source: Path | None = None
    content: bytes | None = None
    target: str = ""

    def __post_init__(self) -> None:
        pure = PurePosixPath(self.path)
        if not self.path or pure.is_absolute() or ".." in pure.parts or str(pure) != self.path:
            raise LabError(
                f"layer entry {self.path!r}: the path must be relative to the image's root and normalised"
            )
        if self.kind == "file" and (self.source is None) == (self.content is None):
            raise LabError(f"layer entry {self.path!r}: a file needs either a source or content, not both")
        if self.kind == "symlink" and not self.target:
            raise LabError(f"layer entry {self.path!r}: a symbolic link needs a target")


def program(path: str, source: Path) -> Entry:
    """An executable file, mode 0755, owned by root."""
    return Entry(path, "file", 0o755, source=source)


def text(path: str, content: str, *, mode: int = 0o644) -> Entry:
    """A text file owned by root."""
    return Entry(path, "file", mode, content=content.encode())


def data(path: str, source: Path) -> Entry:
    """A file copied from ``source``, mode 0644, owned by root."""
    return Entry(path, "file", 0o644, source=source)


def directory(path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    """A directory; ``mode`` defaults to 0755, the owner to root."""
    return Entry(path, "directory", mode, uid, gid)


def symlink(path: str, target: str) -> Entry:
    """A symbolic link to ``target``, which may be relative to the link's directory."""
    return Entry(path, "symlink", 0o777, target=target)


@dataclass(frozen=True, slots=True)
class FileLayer:
    """A layer made of declared entries."""

    entries: tuple[Entry, ...]

    def write(self, out: BinaryIO) -> None:
        """Write the layer as one uncompressed tar. Raises LabError when a source cannot be read."""
        write_layer(self.entries, out)

    def inputs(self) -> Any:
        """What the layer's bytes depend on: every path with its owner, mode and content."""
        return [_inputs(entry) for entry in normalise(self.entries)]


def normalise(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Sort ``entries`` by path and add the parent directories that nobody declared (0755, root).

    A parent sorts before its children, so unpacking needs no second pass.
    Raises LabError when a path is declared twice or a file is used as a directory.
    """
    by_path: dict[str, Entry] = {}
    for entry in entries:
        if entry.path in by_path:
            raise LabError(f"layer entry {entry.path!r} is declared twice: keep one of the two")
        by_path[entry.path] = entry
    for path in list(by_path):
        for parent in PurePosixPath(path).parents:
            name = str(parent)
            if name == ".":
                break
            declared = by_path.setdefault(name, directory(name))
            if declared.kind == "file":
                raise LabError(f"layer entry {path!r}: its parent {name!r} is a file")
    return tuple(by_path[path] for path in sorted(by_path, key=lambda path: path.split("/")))


def write_layer(entries: Iterable[Entry], out: BinaryIO) -> None:
    """Write ``entries`` as a tar: sorted, time 0, numeric owners. Raises LabError for unreadable sources."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as archive:
        for entry in normalise(entries):
            _add(archive, entry)


def _inputs(entry: Entry) -> list[Any]:
    content = ""
    if entry.content is not None:
        content = hashlib.sha256(entry.content).hexdigest()
    elif entry.source is not None:
        try:
            content = cache.mark(entry.source)
        except OSError as error:
            raise _unreadable(entry, error) from error
    return [entry.path, entry.kind, entry.mode, entry.uid, entry.gid, content, entry.target]


def _unreadable(entry: Entry, error: OSError) -> LabError:
    return LabError(f"layer entry {entry.path!r}: {entry.source} cannot be read: {error}")


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.mode, info.uid, info.gid, info.mtime = entry.mode, entry.uid, entry.gid, 0
    if entry.kind == "directory":
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif entry.kind == "symlink":
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
        archive.addfile(info)
    elif entry.content is not None:
        info.size = len(entry.content)
        archive.addfile(info, io.BytesIO(entry.content))
    else:
        assert entry.source is not None
        try:
            with entry.source.open("rb") as stream:
                info.size = entry.source.stat().st_size
                archive.addfile(info, stream)
        except OSError as error:
            raise _unreadable(entry, error) from error
