"""Files that only a key opens, and that show each changed, lost or exchanged byte.

AES-256-GCM in pieces of 1 MiB, as the STREAM construction has it (Hoang, Reyhanitabar, Rogaway, Vizar
2015): the nonce counts the pieces and marks the last one, so that none can be left out, moved or cut off.
The head is plain JSON and authenticated with each piece.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from report.errors import OperationsError

_MAGIC = b"crossmesh-sealed 1\n"
_PIECE = 1 << 20
_TAG = 16
_PREFIX = 7
_LARGEST_HEAD = 1 << 16


def seal(source: Path, target: Path, key: bytes, head: Mapping[str, Any]) -> str:
    """Write `source` encrypted to `target`, to the disk and then under its name; returns the SHA-256.

    key: 32 bytes, for this file alone. head: plain JSON, readable without the key.
    """
    cipher, prefix = AESGCM(key), os.urandom(_PREFIX)
    text = json.dumps({**head, "nonce": prefix.hex()}, sort_keys=True).encode()
    if len(text) > _LARGEST_HEAD:
        raise ValueError(f"the head has {len(text)} bytes, more than {_LARGEST_HEAD}")
    digest = hashlib.sha256()
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with source.open("rb") as plain, scratch.open("xb") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(_MAGIC + struct.pack(">I", len(text)) + text)
            for number, (piece, last) in enumerate(_pieces(plain, _PIECE)):
                digest.update(piece)
                out.write(cipher.encrypt(_nonce(prefix, number, last), piece, text))
            out.flush()
            os.fsync(out.fileno())
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return digest.hexdigest()


def head(path: Path) -> dict[str, Any]:
    """What a sealed file says of itself; nothing proves it before it is opened. Raises OperationsError."""
    with path.open("rb") as file:
        return _head(path, file)[0]


def unseal(path: Path, target: Path, key: bytes) -> str:
    """Write what is sealed to `target`, whole or not at all; returns its SHA-256.

    Raises OperationsError for a wrong key, and for a file that was changed or cut off.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file, target.open("xb") as out:
            os.fchmod(out.fileno(), 0o600)
            values, text = _head(path, file)
            cipher, prefix = AESGCM(key), bytes.fromhex(values["nonce"])
            for number, (piece, last) in enumerate(_pieces(file, _PIECE + _TAG)):
                plain = cipher.decrypt(_nonce(prefix, number, last), piece, text)
                digest.update(plain)
                out.write(plain)
    except (InvalidTag, ValueError):
        target.unlink(missing_ok=True)
        raise OperationsError(
            f"{path} cannot be opened: it was changed or cut off, or this is not its key",
            fix="take another copy of it, or another backup",
        ) from None
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def _head(path: Path, file: BinaryIO) -> tuple[dict[str, Any], bytes]:
    try:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError
        (length,) = struct.unpack(">I", file.read(4))
        if length > _LARGEST_HEAD:
            raise ValueError
        text = file.read(length)
        return dict(json.loads(text)), text
    except (ValueError, struct.error, UnicodeDecodeError):
        raise OperationsError(
            f"{path} is no backup of this kind", fix="name one that was made here"
        ) from None


def _pieces(file: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """Pieces of a file, and whether each is the last; an empty file is one empty piece."""
    piece = file.read(size)
    while True:
        following = file.read(size)
        yield piece, not following
        if not following:
            return
        piece = following


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + struct.pack(">I?", number, last)
