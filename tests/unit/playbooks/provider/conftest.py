"""Fixtures of the provider's tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from access.ssh import Connection
from tests.unit.playbooks.provider.support import FakeEngine, Host

HERE = Path(__file__).parent


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    shutil.copy(HERE / "fake_ssh.py", binaries / "ssh")
    (binaries / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{binaries}:{os.environ['PATH']}")
    # Workers get few variables; those that begin with XDG_ are among them.
    monkeypatch.setenv("XDG_FAKE_SSH_LOG", str(tmp_path / "ssh.log"))
    for name in ("key", "known_hosts"):
        (tmp_path / name).touch()
    connection = Connection("localhost", "root", str(tmp_path / "key"), str(tmp_path / "known_hosts"))
    return Host(tmp_path, connection)
