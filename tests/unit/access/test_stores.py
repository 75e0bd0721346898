"""A directory and a bucket keep files alike."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from access import stores
from access.errors import AccessError
from access.stores import Bucket, Directory, Store, store
from report.errors import ConfigurationError
from tests.unit.access import s3


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[s3.Server]:
    with s3.serving() as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture(params=["directory", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, server: s3.Server) -> Store:
    where = f"s3://{s3.BUCKET}/backups/etcd" if request.param == "bucket" else str(tmp_path / "backups")
    return store(where)


def given(tmp_path: Path, content: bytes) -> Path:
    file = tmp_path / "given"
    file.write_bytes(content)
    return file


def test_a_file_is_kept_listed_fetched_renamed_and_removed(place: Store, tmp_path: Path) -> None:
    assert place.names("prod") == []
    place.require_writable()
    names = [f"prod/eu-{number}" for number in range(5)]
    for name in names:
        place.put(given(tmp_path, name.encode()), name)
    place.put(given(tmp_path, b"other"), "staging/eu-0")
    assert place.names("prod") == names
    place.rename(names[0], "prod/us-0")
    place.remove(names[1])
    place.remove("prod/never-there")
    assert place.names("prod") == [*names[2:], "prod/us-0"]
    place.fetch("prod/us-0", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == b"prod/eu-0"


def test_a_large_file_is_the_same_again(
    place: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: s3.Server
) -> None:
    monkeypatch.setattr(stores, "_PIECE", 5 << 20)
    content = os.urandom(11 << 20)
    place.put(given(tmp_path, content), "prod/large")
    place.fetch("prod/large", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == content
    assert not server.parts


def test_what_is_not_there_is_an_error_with_its_place(place: Store, tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="prod/none cannot be read") as refused:
        place.fetch("prod/none", tmp_path / "fetched")
    assert place.where in refused.value.message


def test_a_directory_keeps_for_its_owner_alone_and_shows_no_half_file(tmp_path: Path) -> None:
    place = Directory(tmp_path / "backups")
    place.put(given(tmp_path, b"secret"), "prod/eu")
    kept = tmp_path / "backups" / "prod" / "eu"
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    (kept.parent / ".eu-2.77").write_text("half")
    assert place.names("prod") == ["prod/eu"]


def test_a_directory_that_cannot_be_written_to_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, how: False)
    with pytest.raises(AccessError, match=f"{tmp_path} cannot be written to"):
        Directory(tmp_path / "one" / "two").require_writable()


def test_a_bucket_s_prefix_stands_before_all_names(server: s3.Server, tmp_path: Path) -> None:
    Bucket(f"s3://{s3.BUCKET}/backups/etcd/").put(given(tmp_path, b"one"), "prod/eu")
    Bucket(f"s3://{s3.BUCKET}").put(given(tmp_path, b"two"), "prod/eu")
    assert server.objects == {"backups/etcd/prod/eu": b"one", "prod/eu": b"two"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AWS_ACCESS_KEY_ID", "AKIAANOTHER", "cannot be listed"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "cannot be listed"),
    ],
)
def test_who_is_not_let_in_is_told_where_to_look_and_no_secret(
    server: s3.Server, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setattr(stores, "_RETRIES", 0)
    monkeypatch.setenv(name, value)
    with pytest.raises(AccessError, match=words) as refused:
        Bucket(f"s3://{s3.BUCKET}/backups").require_writable()
    assert "AWS_ENDPOINT_URL" in (refused.value.fix or "")
    assert s3.SECRET_KEY not in f"{refused.value.message}{refused.value.fix}"


def test_another_kind_of_place_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ftp://x is no place for files"):
        store("ftp://x")
    assert store("~/backups").where == str(Path("~/backups").expanduser())
