"""What a database of countries is, looked at on the host that has it and never changed.

Sent to hosts as it is, as the collection's facts are: it needs Python 3.8 and its standard library alone. The
form is that of MaxMind's specification, version 2.0: behind a mark near its end, a map says what the file is.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

MARK = b"\xab\xcd\xefMaxMind.com"
MARK_WITHIN = 128 * 1024
"""Bytes at the end in which the mark is."""
READER = "gdnsd"
"""The user that the name server runs as: Debian's unit of it."""
_EXTENDED, _TEXT, _DOUBLE, _MAP, _LIST, _BOOLEAN, _FLOAT = 0, 2, 3, 7, 11, 14, 15
_SIZES = {29: 1, 30: 2, 31: 3}
"""Of a size that does not fit, in how many octets what is added to it follows."""


def database(path: str) -> dict[str, Any]:
    """What is at `path`: why it cannot be read, or its type, when it was built (seconds since the epoch), the
    version of its form, and whether the name server may read it."""
    found: dict[str, Any] = {"path": path, "error": "", "type": "", "built": 0, "form": 0, "readable": True}
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MARK_WITHIN))
            _, mark, described = file.read().rpartition(MARK)
        if not mark:
            return {**found, "error": "it is no database in MaxMind's format"}
        said = value(described, 0)[0]
        found.update(
            type=str(said["database_type"]),
            built=int(said["build_epoch"]),
            form=int(said["binary_format_major_version"]),
        )
    except OSError as error:
        return {**found, "error": error.strerror or str(error)}
    except (LookupError, RecursionError, TypeError, ValueError):
        return {**found, "error": "what it says of itself cannot be read: it is broken, or cut off"}
    return {**found, "readable": readable(path)}


def value(data: bytes, at: int) -> tuple[Any, int]:
    """A value of the format that begins at an offset, and where the next one does. Raises LookupError or
    ValueError for what is none: metadata hold no pointers."""
    kind, size, at = data[at] >> 5, data[at] & 31, at + 1
    if kind == _EXTENDED:
        kind, at = data[at] + 7, at + 1
    if size in _SIZES:
        width = _SIZES[size]
        more = int.from_bytes(data[at : at + width], "big")
        size, at = (29, 285, 65821)[width - 1] + more, at + width
    if kind == _MAP:
        entries = {}
        for _ in range(size):
            key, at = value(data, at)
            entries[key], at = value(data, at)
        return entries, at
    if kind == _LIST:
        found = []
        for _ in range(size):
            entry, at = value(data, at)
            found.append(entry)
        return found, at
    if kind == _BOOLEAN:
        return bool(size), at
    if kind == 1 or at + size > len(data):
        raise ValueError(kind)
    octets = data[at : at + size]
    if kind == _TEXT:
        return octets.decode(), at + size
    return (octets if kind in (4, _DOUBLE, _FLOAT) else int.from_bytes(octets, "big")), at + size


def readable(path: str) -> bool:
    """Whether the name server's user may read it, by owners and modes. One that is not there yet is taken for
    anybody."""
    try:
        user = pwd.getpwnam(READER)
        identity: tuple[int, set[int]] = (user.pw_uid, set(os.getgrouplist(READER, user.pw_gid)))
    except KeyError:
        identity = (-1, set())
    above = map(str, Path(path).parents)
    return _may(path, 4, identity) and all(_may(each, 1, identity) for each in above)


def _may(path: str, wanted: int, identity: tuple[int, set[int]]) -> bool:
    status, (user, groups) = Path(path).stat(), identity
    shift = 6 if status.st_uid == user else 3 if status.st_gid in groups else 0
    return bool(status.st_mode >> shift & wanted)
