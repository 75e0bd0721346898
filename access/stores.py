"""Where files are kept: a directory, or a bucket that is reached by S3.

A file appears under its name whole or not at all. Names are relative, with `/` between their parts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from access.errors import AccessError
from report.errors import ConfigurationError

if TYPE_CHECKING:
    from obstore.store import S3Store

BUCKET = "s3://"
_RETRIES, _SECONDS = 3, 60
"""How often a request to a bucket is made again, and for how long at most."""
_PIECE = 8 << 20


class Store(Protocol):
    """A place for files."""

    where: str
    """What it is called."""

    def put(self, source: Path, name: str) -> None:
        """Keep a copy of a file under a name, in place of what is there. Raises AccessError."""

    def fetch(self, name: str, target: Path) -> None:
        """Write what is kept under a name to a new file. Raises AccessError."""

    def names(self, directory: str) -> list[str]:
        """Names of the files in a directory, sorted; none where there is none. Raises AccessError."""

    def rename(self, name: str, other: str) -> None:
        """Have what is kept under a name under another one. Raises AccessError."""

    def remove(self, name: str) -> None:
        """Let go of what is kept under a name, if anything is. Raises AccessError."""

    def require_writable(self) -> None:
        """Raise AccessError where nothing can be put, as far as that is seen without putting anything."""


def store(place: str) -> Store:
    """The store at a path or at `s3://bucket/prefix`. Raises ConfigurationError for another kind of URL."""
    if place.startswith(BUCKET):
        return Bucket(place)
    if "://" in place:
        raise ConfigurationError(
            f"{place} is no place for files", fix="name a directory, or s3://bucket/prefix of any S3 endpoint"
        )
    return Directory(Path(place).expanduser())


class Directory:
    """A directory of this machine, which may be one of a file server's."""

    def __init__(self, root: Path) -> None:
        self.where = str(root)
        self._root = root

    def put(self, source: Path, name: str) -> None:
        target = self._root / name
        scratch = target.with_name(f".{target.name}.{os.getpid()}")
        with self._told(f"{name} cannot be put there"):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with source.open("rb") as given, scratch.open("xb") as out:
                    os.fchmod(out.fileno(), 0o600)
                    shutil.copyfileobj(given, out, _PIECE)
                    out.flush()
                    os.fsync(out.fileno())
                scratch.replace(target)
            finally:
                scratch.unlink(missing_ok=True)

    def fetch(self, name: str, target: Path) -> None:
        with self._told(f"{name} cannot be read"):
            shutil.copyfile(self._root / name, target)

    def names(self, directory: str) -> list[str]:
        with self._told(f"{directory} cannot be listed"):
            found = (self._root / directory).glob("[!.]*")
            return sorted(f"{directory}/{path.name}" for path in found if path.is_file())

    def rename(self, name: str, other: str) -> None:
        with self._told(f"{name} cannot be renamed"):
            (self._root / name).replace(self._root / other)

    def remove(self, name: str) -> None:
        with self._told(f"{name} cannot be removed"):
            (self._root / name).unlink(missing_ok=True)

    def require_writable(self) -> None:
        directory = self._root
        while not directory.exists():
            directory = directory.parent
        if not os.access(directory, os.W_OK | os.X_OK):
            raise AccessError(f"{directory} cannot be written to", fix="name another directory")

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            fix = "look at the disk, and at who may write there"
            raise AccessError(f"{self.where}: {what}: {error.strerror or error}", fix=fix) from error


class Bucket:
    """A bucket, with a prefix before all names. Endpoint, region and credentials are those of the environment
    (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID` and so on), or the role of the machine.
    """

    def __init__(self, url: str) -> None:
        self.where = url.rstrip("/")
        self._opened: S3Store | None = None

    def put(self, source: Path, name: str) -> None:
        import obstore

        # A large one goes in parts, and is there when the last of them is.
        with self._told(f"{name} cannot be put there"):
            obstore.put(self._store, name, source, chunk_size=_PIECE)

    def fetch(self, name: str, target: Path) -> None:
        import obstore

        with self._told(f"{name} cannot be read"), target.open("xb") as out:
            os.fchmod(out.fileno(), 0o600)
            for piece in obstore.get(self._store, name).stream(min_chunk_size=_PIECE):
                out.write(piece)

    def names(self, directory: str) -> list[str]:
        import obstore

        with self._told(f"{directory} cannot be listed"):
            listed = obstore.list_with_delimiter(self._store, prefix=f"{directory}/")
            return sorted(str(entry["path"]) for entry in listed["objects"])

    def rename(self, name: str, other: str) -> None:
        import obstore

        # S3 knows no renaming: the copy is there whole before the other one goes.
        with self._told(f"{name} cannot be renamed"):
            obstore.copy(self._store, name, other)
            obstore.delete(self._store, name)

    def remove(self, name: str) -> None:
        import obstore

        with self._told(f"{name} cannot be removed"):
            obstore.delete(self._store, name)

    def require_writable(self) -> None:
        self.names("")

    @property
    def _store(self) -> S3Store:
        if self._opened is None:
            from obstore.store import S3Store

            self._opened = S3Store.from_url(
                self.where,
                retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_SECONDS)},
            )
        return self._opened

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError) as error:
            # Further lines are the library's own view of it.
            words = str(error).strip().partition("\n")[0][:300]
            fix = (
                "see the bucket's name, and in the environment AWS_ENDPOINT_URL, AWS_REGION, and credentials "
                "that may read, write, list and delete there"
            )
            raise AccessError(f"{self.where}: {what}: {words}", fix=fix) from error
