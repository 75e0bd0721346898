"""A backup counts once it was restored aside, compared, sealed and opened again."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from access.stores import Directory, store
from report.errors import ConfigurationError, OperationsError
from runbooks import journal as journals
from runbooks.engine import RunFailedError, Runner
from runbooks.etcd import backup, encryption, sealed
from runbooks.etcd.backup import BACKUP, BackupSite
from runbooks.etcd.tools import Member
from tests.unit.access import s3


class FakeTools:
    """etcd's programs: what they say of a live store and of a snapshot."""

    version = "3.6.6"

    def __init__(self) -> None:
        self.live = {"hash": 77, "compact_revision": 5}
        self.restored = {"hash": 77, "compact_revision": 5}
        self.calls: list[str] = []

    def control(self, *arguments: str, member: Any = None) -> str:
        self.calls.append(" ".join(arguments[:2]))
        if arguments[0] == "snapshot":
            Path(arguments[2]).write_bytes(b"every Secret")
            return ""
        return json.dumps([{"HashKV": dict(self.live)}])

    def utility(self, *arguments: str) -> str:
        self.calls.append(" ".join(arguments[:2]))
        if arguments[:2] == ("snapshot", "status"):
            return json.dumps({"totalKey": 4, "totalSize": 100, "revision": 9})
        return ""

    @contextmanager
    def aside(self, directory: Path) -> Iterator[Any]:
        yield lambda *arguments: json.dumps([{"HashKV": self.restored}])


class Site(BackupSite):
    """Without a host."""

    def _on_host(self, script: str) -> str:
        return "name: key-2\nname: key-1\nname: key-1\n" if script == encryption.SCRIPT else ""

    @contextmanager
    def member(self) -> Iterator[Member]:
        yield Member("https://127.0.0.1:1", {})


@pytest.fixture
def keys() -> list[bytes]:
    return []


@pytest.fixture
def site(tmp_path: Path, keys: list[bytes]) -> BackupSite:
    (tmp_path / "scratch").mkdir()

    def wrap(stack: str, key: bytes) -> dict[str, Any]:
        keys.append(key)
        return {"secure": "…"}

    stack: Any = SimpleNamespace(name="lab")
    tools: Any = FakeTools()
    connection: Any = None
    scratch, place = tmp_path / "scratch", Directory(tmp_path / "backups")
    return Site(stack, "eu", "eu-cp-1", connection, "uid", tools, scratch, place, wrap=wrap)


def kept(tmp_path: Path) -> list[Path]:
    """What lies in the directory of backups."""
    return sorted(path for path in (tmp_path / "backups").rglob("*") if path.is_file())


def run(site: BackupSite, tmp_path: Path) -> None:
    with journals.opened(tmp_path / "journal") as journal:
        Runner(BACKUP, site, journal, lambda text: None).begin("a1", {"region": "eu"}, "eu")


def test_a_backup_says_what_it_is_and_opens_with_its_key(
    site: BackupSite, tmp_path: Path, keys: list[bytes]
) -> None:
    run(site, tmp_path)
    (path,) = kept(tmp_path)
    assert path == tmp_path / "backups" / site.target
    head = sealed.head(path)
    assert {key: head[key] for key in ("region", "cluster", "etcd", "revision", "hash", "keys")} == {
        "region": "eu",
        "cluster": "uid",
        "etcd": "3.6.6",
        "revision": 9,
        "hash": 77,
        "keys": 4,
    }
    assert head["keys_of_secrets"] == ["key-1", "key-2"]
    sealed.unseal(path, tmp_path / "again", keys[0])
    assert (tmp_path / "again").read_bytes() == b"every Secret"
    assert path.parent.stat().st_mode & 0o077 == 0
    assert list(site.scratch.iterdir()) == []


def test_a_snapshot_that_is_not_what_is_live_is_no_backup(site: BackupSite, tmp_path: Path) -> None:
    tools: Any = site.tools
    tools.live["hash"] = 78
    with pytest.raises(RunFailedError, match=r"not what etcd has at revision 9: hash 77 and not 78"):
        run(site, tmp_path)
    assert kept(tmp_path) == []


def test_a_compaction_in_between_makes_it_try_again(site: BackupSite, tmp_path: Path) -> None:
    tools: Any = site.tools
    tools.live["compact_revision"] = 6
    original = tools.control

    def control(*arguments: str, member: Any = None) -> str:
        said = original(*arguments, member=member)
        if arguments[0] == "endpoint":
            tools.live["compact_revision"] = 5
        return str(said)

    tools.control = control
    run(site, tmp_path)
    assert tools.calls.count("snapshot save") == 2


def test_a_disk_that_keeps_something_else_makes_no_backup(
    site: BackupSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = sealed.seal

    def seal(source: Path, target: Path, key: bytes, head: Any) -> str:
        digest = original(source, target, key, head)
        data = bytearray(target.read_bytes())
        data[-1] ^= 1
        target.write_bytes(data)
        return digest

    monkeypatch.setattr(sealed, "seal", seal)
    with pytest.raises(RunFailedError, match="was changed or cut off"):
        run(site, tmp_path)
    assert kept(tmp_path) == []


AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
"""When the new one is taken."""
OLD = ("eu-20261101T000000Z", "eu-20261120T000000Z", "eu-20261129T000000Z")
OTHERS = ("eu-west-20200101T000000Z", "us-20200101T000000Z")
"""Of other regions, one of whose names begins with that of this one."""


@pytest.mark.parametrize(
    ("keep", "days", "stay"),
    [
        (0, 0, 3),
        (1, 0, 0),
        (2, 0, 1),
        (9, 0, 3),
        (0, 7, 1),
        (0, 1, 0),
        (3, 1, 2),
        (2, 15, 2),
    ],
)
def test_the_oldest_go_once_the_new_one_is_proven(
    site: BackupSite, tmp_path: Path, keep: int, days: int, stay: int
) -> None:
    directory = tmp_path / "backups" / "lab"
    directory.mkdir(parents=True)
    for name in (*OLD, *OTHERS):
        (directory / f"{name}.etcd").write_text("old")
    (directory / "eu-20261121T000000Z.unproven").write_text("of a killed run")
    (directory / "eu-west-20261121T000000Z.unproven").write_text("of another region's run")
    site.at, site.keep, site.days = AT, keep, days
    run(site, tmp_path)
    assert {path.stem for path in directory.glob("*.etcd")} == {
        *OLD[len(OLD) - stay :],
        *OTHERS,
        "eu-20261130T120000Z",
    }
    assert [path.stem for path in directory.glob("*.unproven")] == ["eu-west-20261121T000000Z"]


def test_a_clock_that_ran_ahead_does_not_cost_the_new_one(site: BackupSite, tmp_path: Path) -> None:
    directory = tmp_path / "backups" / "lab"
    directory.mkdir(parents=True)
    (directory / "eu-20991231T000000Z.etcd").write_text("of a clock that ran ahead")
    site.at, site.keep = AT, 1
    run(site, tmp_path)
    assert (directory / "eu-20261130T120000Z.etcd").is_file()


def in_a_bucket(site: BackupSite, server: s3.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the site keep its backups in one."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    site.store = store(f"s3://{s3.BUCKET}/etcd")


def test_a_bucket_gets_it_sealed_and_proven_and_lets_the_oldest_go(
    site: BackupSite, tmp_path: Path, keys: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3.serving() as server:
        in_a_bucket(site, server, monkeypatch)
        server.objects = {f"etcd/lab/{name}.etcd": b"old" for name in (*OLD, *OTHERS)}
        site.at, site.keep = AT, 2
        run(site, tmp_path)
        names = {name.removeprefix("etcd/lab/").removesuffix(".etcd") for name in server.objects}
        assert names == {OLD[-1], *OTHERS, "eu-20261130T120000Z"}
        (tmp_path / "brought").write_bytes(server.objects[f"etcd/{site.target}"])
    sealed.unseal(tmp_path / "brought", tmp_path / "again", keys[0])
    assert (tmp_path / "again").read_bytes() == b"every Secret"
    assert list(site.scratch.iterdir()) == []


def test_a_bucket_that_keeps_something_else_has_no_backup(
    site: BackupSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3.serving() as server:
        in_a_bucket(site, server, monkeypatch)
        server.broken = True
        with pytest.raises(RunFailedError, match="was changed or cut off"):
            run(site, tmp_path)
        assert server.objects == {}


def test_a_bucket_that_lets_nobody_in_is_known_before(
    site: BackupSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3.serving() as server:
        in_a_bucket(site, server, monkeypatch)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAANOTHER")
        (problem,) = BACKUP.preconditions(site)
    assert problem.what.startswith("s3://ours/etcd")


@pytest.mark.parametrize("text", ["-1", "many", "1.5"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"keep={text} is no number"):
        backup._number("keep", {"keep": text}, 0)
    assert backup._number("keep", {"keep": ""}, 14) == 14
    assert backup._number("keep", {"keep": "0"}, 14) == 0


def test_a_directory_that_cannot_be_written_to_is_known_before(
    site: BackupSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, how: False)
    (problem,) = BACKUP.preconditions(site)
    assert "cannot be written to" in problem.what


def test_readable_snapshots_need_a_file_system_in_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(backup, "_MEMORY", tmp_path / "nothing")
    with pytest.raises(OperationsError, match="every Secret of the cluster"), backup.in_memory():
        pass


def test_what_a_killed_run_left_in_memory_is_removed_by_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(backup, "_MEMORY", tmp_path)
    ended = subprocess.Popen(["true"])
    ended.wait()
    for process in (ended.pid, os.getpid()):
        (tmp_path / f"crossmesh-etcd-{process}-x").mkdir()
        (tmp_path / f"crossmesh-etcd-{process}-x" / "snapshot.db").write_text("every Secret")
    with backup.in_memory() as scratch:
        assert scratch.stat().st_mode & 0o077 == 0
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {f"crossmesh-etcd-{os.getpid()}-x", scratch.name}
