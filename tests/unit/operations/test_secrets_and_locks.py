"""`crossmesh secrets` and `crossmesh lock`: what is made once, and what a killed run leaves."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from access.root_key import CONFIG_KEY
from tests.unit.operations.fakes import calls, crossmesh_, stack_file


def test_secrets_init_makes_the_stack_and_a_key_that_is_in_no_argument(fake: Path) -> None:
    (fake / "export.json").unlink()
    before = stack_file(fake).read_text()
    result = crossmesh_("secrets", "init", "--stack", "lab")
    assert result.exit_code == 0, result.output
    assert ["stack", "init", "lab", "--no-select"] in calls(fake)
    key = (fake / "key.pem").read_text()
    assert key.startswith("-----BEGIN PRIVATE KEY-----")
    assert "PRIVATE KEY" not in (fake / "calls").read_text()
    after = stack_file(fake).read_text()
    assert yaml.safe_load(after)["config"][CONFIG_KEY] == {"secure": "v1:sealed"}
    assert [line for line in after.splitlines() if line in before.splitlines()] == before.splitlines()


def test_secrets_init_twice_keeps_the_first_key(fake: Path) -> None:
    crossmesh_("secrets", "init", "--stack", "lab")
    first, text = (fake / "key.pem").read_text(), stack_file(fake).read_text()
    result = crossmesh_("secrets", "init", "--stack", "lab")
    assert result.exit_code == 0
    assert "is there already" in result.output
    assert ((fake / "key.pem").read_text(), stack_file(fake).read_text()) == (first, text)


@pytest.fixture
def read_only(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout that cannot be written."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("access.root_key.tempfile.TemporaryFile", refused)
    monkeypatch.setattr("stacks.write.write_whole", refused)


def test_in_a_checkout_that_cannot_be_written_no_stack_is_made(fake: Path, read_only: None) -> None:
    (fake / "export.json").unlink()
    result = crossmesh_("secrets", "init", "--stack", "lab")
    assert result.exit_code == 1
    assert f"{stack_file(fake)} cannot be written: Read-only file system" in result.output
    assert "Nothing was made or removed" in result.output
    assert not (fake / "calls").exists()


def test_nor_is_one_forgotten_of_which_the_secrets_would_stay(fake: Path, read_only: None) -> None:
    result = crossmesh_("forget", "--stack", "lab", "--machines-are-gone")
    assert result.exit_code == 1
    assert "Nothing was made or removed" in result.output
    assert not (fake / "calls").exists()


def test_a_key_that_is_there_is_found_in_a_checkout_that_cannot_be_written(
    fake: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    crossmesh_("secrets", "init", "--stack", "lab")
    (fake / "export.json").unlink()
    request.getfixturevalue("read_only")
    result = crossmesh_("secrets", "init", "--stack", "lab")
    assert result.exit_code == 0, result.output
    assert (fake / "export.json").exists(), "the stack is made"


def test_secrets_remove_leaves_the_file_as_it_was(fake: Path) -> None:
    before = stack_file(fake).read_text()
    crossmesh_("secrets", "init", "--stack", "lab")
    assert crossmesh_("secrets", "remove", "--stack", "lab").exit_code == 0
    assert stack_file(fake).read_text() == before


def test_secrets_remove_is_refused_while_resources_rest_on_the_key(fake: Path) -> None:
    crossmesh_("secrets", "init", "--stack", "lab")
    resources = [{"type": "pulumi:pulumi:Stack"}, {"type": "crossmesh:tls:CertificateAuthority"}]
    (fake / "export.json").write_text(json.dumps({"deployment": {"resources": resources}}))
    result = crossmesh_("secrets", "remove", "--stack", "lab")
    assert result.exit_code == 1
    assert "pulumi destroy --stack lab" in result.output


def lock(fake: Path, pid: int, host: str | None = None) -> Path:
    directory = fake / "backend" / ".pulumi" / "locks" / "organization" / "crossmesh" / "lab"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "one.json"
    content = {
        "pid": pid,
        "username": "operator",
        "hostname": host or socket.gethostname(),
        "timestamp": datetime.now(UTC).isoformat(),
    }
    path.write_text(json.dumps(content))
    return path


def ended_pid() -> int:
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


def test_a_stale_lock_is_shown_with_its_owner_and_cleared(fake: Path) -> None:
    path = lock(fake, ended_pid())
    shown = crossmesh_("lock", "show", "--stack", "lab")
    assert shown.exit_code == 0
    assert "operator@" in shown.output
    assert "stale" in shown.output
    assert crossmesh_("lock", "clear", "--stack", "lab").exit_code == 0
    assert not path.exists()


def test_what_a_killed_up_left_half_done_is_settled_with_its_lock_and_without_one(fake: Path) -> None:
    host_phase = {"urn": "urn:a::b::c::eu-worker-1-join", "type": "crossmesh:hosts:HostPhase"}
    left = {"resources": [host_phase], "pending_operations": [{"resource": host_phase, "type": "updating"}]}
    for pid in (ended_pid(), None):
        if pid:
            lock(fake, pid)
        (fake / "export.json").write_text(json.dumps({"version": 3, "deployment": left}))
        result = crossmesh_("lock", "clear", "--stack", "lab")
        assert result.exit_code == 0
        assert (
            "eu-worker-1-join was interrupted while updating; the next `up` goes on with it" in result.output
        )
        state = json.loads((fake / "export.json").read_text())["deployment"]
        assert "pending_operations" not in state
        assert state["resources"][0]["initErrors"] == ["interrupted while updating"]


@pytest.mark.parametrize("host", [None, "another-machine"])
def test_a_lock_whose_owner_may_live_is_never_cleared(fake: Path, host: str | None) -> None:
    path = lock(fake, os.getpid() if host is None else ended_pid(), host)
    result = crossmesh_("lock", "clear", "--stack", "lab")
    assert result.exit_code == 1
    assert path.exists()
    assert not any(call[0] == "cancel" for call in calls(fake))


def test_no_lock_is_said(fake: Path) -> None:
    for name in ("show", "clear"):
        result = crossmesh_("lock", name, "--stack", "lab")
        assert result.exit_code == 0
        assert "not locked" in result.output
