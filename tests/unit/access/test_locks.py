from __future__ import annotations

import json
import os
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from access.locks import Owner, backend_directory, read_locks
from report.errors import ConfigurationError, OperationsError


def write(backend: Path, stack: str = "lab", **changes: object) -> Path:
    directory = backend / ".pulumi" / "locks" / "organization" / "crossmesh" / stack
    directory.mkdir(parents=True, exist_ok=True)
    content = {
        "pid": os.getpid(),
        "username": "operator",
        "hostname": socket.gethostname(),
        "timestamp": datetime.now(UTC).isoformat(),
    }
    path = directory / f"{len(list(directory.iterdir()))}.json"
    path.write_text(json.dumps(content | changes))
    return path


def ended_pid() -> int:
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


def test_no_lock_is_no_lock(tmp_path: Path) -> None:
    assert read_locks(tmp_path, "lab") == []


def test_a_lock_names_its_owner_and_says_that_it_lives(tmp_path: Path) -> None:
    write(tmp_path)
    (lock,) = read_locks(tmp_path, "lab")
    assert lock.owner is Owner.ALIVE
    words = lock.describe()
    assert f"process {os.getpid()} of operator@{socket.gethostname()}" in words
    assert "is running" in words


def test_a_lock_of_a_process_that_ended_is_stale(tmp_path: Path) -> None:
    write(tmp_path, pid=ended_pid())
    (lock,) = read_locks(tmp_path, "lab")
    assert lock.owner is Owner.DEAD
    assert "stale" in lock.describe()


def test_a_process_that_only_got_the_same_number_later_is_not_the_owner(tmp_path: Path) -> None:
    write(tmp_path, timestamp=(datetime.now(UTC) - timedelta(days=400)).isoformat())
    assert read_locks(tmp_path, "lab")[0].owner is Owner.DEAD


def test_of_a_process_on_another_machine_nothing_is_claimed(tmp_path: Path) -> None:
    write(tmp_path, hostname="another-machine", pid=ended_pid())
    assert read_locks(tmp_path, "lab")[0].owner is Owner.ELSEWHERE


def test_timestamps_with_nanoseconds_and_zones_are_read(tmp_path: Path) -> None:
    write(tmp_path, timestamp="2026-01-02T03:04:05.123456789+01:00")
    assert read_locks(tmp_path, "lab")[0].since.astimezone(UTC).hour == 2


def test_locks_of_other_stacks_do_not_count(tmp_path: Path) -> None:
    write(tmp_path, "other")
    assert read_locks(tmp_path, "lab") == []


def test_a_lock_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text("{")
    with pytest.raises(OperationsError, match=path.name):
        read_locks(tmp_path, "lab")


def test_the_directory_of_a_file_backend_is_found_with_its_home() -> None:
    assert backend_directory("file:///var/state") == Path("/var/state")
    assert backend_directory("file://~") == Path.home()
    assert backend_directory("file://~/state%20dir") == Path.home() / "state dir"


def test_other_backends_are_refused_with_what_to_use() -> None:
    with pytest.raises(ConfigurationError, match="pulumi cancel"):
        backend_directory("s3://bucket")
