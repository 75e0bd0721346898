"""A backup counts once it was restored aside, compared, sealed and opened again."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from report.errors import OperationsError
from runbooks import journal as journals
from runbooks.engine import RunFailedError, Runner
from runbooks.etcd import backup, encryption, sealed
from runbooks.etcd.backup import BACKUP, BackupSite
from runbooks.etcd.tools import Member


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
    scratch, directory = tmp_path / "scratch", tmp_path / "backups"
    return Site(stack, "eu", "eu-cp-1", connection, "uid", tools, scratch, directory, 0, wrap=wrap)


def run(site: BackupSite, tmp_path: Path) -> None:
    with journals.opened(tmp_path / "journal") as journal:
        Runner(BACKUP, site, journal, lambda text: None).begin("a1", {"region": "eu"}, "eu")


def test_a_backup_says_what_it_is_and_opens_with_its_key(
    site: BackupSite, tmp_path: Path, keys: list[bytes]
) -> None:
    run(site, tmp_path)
    (path,) = backup.backups(site.directory, "lab", "eu")
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


def test_a_snapshot_that_is_not_what_is_live_is_no_backup(site: BackupSite, tmp_path: Path) -> None:
    tools: Any = site.tools
    tools.live["hash"] = 78
    with pytest.raises(RunFailedError, match=r"not what etcd has at revision 9: hash 77 and not 78"):
        run(site, tmp_path)
    assert not site.directory.exists()


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
    assert list(site.directory.rglob("*.*")) == []


def test_the_oldest_go_once_the_new_one_is_proven(site: BackupSite, tmp_path: Path) -> None:
    directory = site.directory / "lab"
    directory.mkdir(parents=True)
    for name in ("eu-20260101T000000Z", "eu-20260102T000000Z", "us-20250101T000000Z"):
        (directory / f"{name}.etcd").write_text("old")
    (directory / "eu-20260103T000000Z.unproven").write_text("of a killed run")
    site.keep = 2
    run(site, tmp_path)
    assert [path.name[:13] for path in sorted(directory.iterdir())] == [
        "eu-20260102T0",
        site.target.name[:13],
        "us-20250101T0",
    ]


def test_a_directory_that_cannot_be_written_to_is_known_before(
    site: BackupSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup.os, "access", lambda path, how: False)
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
