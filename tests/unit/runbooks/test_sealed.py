"""Sealed files: whole with their key, refused with one byte changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from report.errors import OperationsError
from runbooks.etcd import sealed

KEY = bytes(range(32))
MIB = 1 << 20
HEAD = {"region": "eu", "revision": 7}


def sealed_file(directory: Path, size: int) -> tuple[Path, bytes]:
    content = os.urandom(size)
    (directory / "plain").write_bytes(content)
    sealed.seal(directory / "plain", directory / "sealed", KEY, HEAD)
    return directory / "sealed", content


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB])
def test_what_was_sealed_comes_out_again(tmp_path: Path, size: int) -> None:
    path, content = sealed_file(tmp_path, size)
    digest = sealed.unseal(path, tmp_path / "again", KEY)
    assert (tmp_path / "again").read_bytes() == content
    assert digest == sealed.seal(tmp_path / "plain", tmp_path / "other", KEY, HEAD)


def test_the_head_is_read_without_a_key_and_the_content_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"a Secret of the cluster" * 100)
    sealed.seal(tmp_path / "plain", tmp_path / "sealed", KEY, HEAD)
    assert HEAD.items() <= sealed.head(tmp_path / "sealed").items()
    assert b"Secret" not in (tmp_path / "sealed").read_bytes()


def test_nobody_else_may_read_either(tmp_path: Path) -> None:
    path, _ = sealed_file(tmp_path, 10)
    sealed.unseal(path, tmp_path / "again", KEY)
    assert [file.stat().st_mode & 0o077 for file in (path, tmp_path / "again")] == [0, 0]


@pytest.mark.parametrize("where", ["head", "first", "middle", "last"])
def test_one_byte_changed_is_refused_and_nothing_is_left(tmp_path: Path, where: str) -> None:
    path, _ = sealed_file(tmp_path, 2 * MIB + 10)
    data = bytearray(path.read_bytes())
    start = data.index(b'"region"')
    at = {"head": start + 11, "first": len(data) - 2 * MIB, "middle": len(data) // 2, "last": len(data) - 1}[
        where
    ]
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(OperationsError, match=r"cannot be opened: it was changed or cut off"):
        sealed.unseal(path, tmp_path / "again", KEY)
    assert not (tmp_path / "again").exists()


def test_pieces_cannot_be_cut_off_doubled_or_exchanged(tmp_path: Path) -> None:
    path, _ = sealed_file(tmp_path, 3 * MIB)
    whole = path.read_bytes()
    size = MIB + 16
    head, pieces = whole[: -3 * size], [whole[len(whole) - (3 - n) * size :][:size] for n in range(3)]
    for broken in ([0, 1], [0, 1, 2, 2], [1, 0, 2], [0, 2], []):
        path.write_bytes(head + b"".join(pieces[number] for number in broken))
        with pytest.raises(OperationsError, match="cannot be opened"):
            sealed.unseal(path, tmp_path / "again", KEY)


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    path, _ = sealed_file(tmp_path, 10)
    with pytest.raises(OperationsError, match="this is not its key"):
        sealed.unseal(path, tmp_path / "again", bytes(32))


@pytest.mark.parametrize(
    "content", [b"", b"crossmesh-sealed 1\n", b"SQLite format 3\0", b"crossmesh-sealed 1\n\xff\xff\xff\xff"]
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(OperationsError, match="is no backup of this kind"):
        sealed.head(tmp_path / "file")


def test_a_target_that_cannot_be_written_leaves_no_scratch(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"x")
    with pytest.raises(ValueError, match="the head has"):
        sealed.seal(tmp_path / "plain", tmp_path / "sealed", KEY, {"much": "x" * (1 << 17)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain"]
