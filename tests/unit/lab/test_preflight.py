"""What is wrong with a computer is said at once, with the fix."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from lab import network, preflight, tools
from lab.addressing import allocate
from lab.cli import main
from lab.errors import LabError
from lab.spec import load


def test_without_root_nothing_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for command in ("start", "stop"):
        result = CliRunner().invoke(main, [command, "--name", "unit"])
        assert result.exit_code == 1
        assert "must be run as root" in result.output
        assert "fix: use sudo" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_with_its_free_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=3 * 2**30))
    with pytest.raises(LabError, match=r"3\.0 GiB are free") as caught:
        preflight.check(tmp_path / "not/there/yet")
    assert "XDG_STATE_HOME" in caught.value.fix


def test_a_route_into_the_labs_network_is_named() -> None:
    where = allocate("lab", load())
    routes = [
        {"dst": "default", "dev": "eth0"},
        {"dst": "10.101.7.0/24", "dev": "vpn0"},
        {"dst": "10.0.0.0/8", "dev": "eth1"},
        {"dst": "10.101.0.0/16", "dev": "cm-lab"},
        {"dst": "192.0.2.0/24", "dev": "eth0"},
    ]
    assert network.overlapping_routes(where, routes) == ["10.0.0.0/8 dev eth1", "10.101.7.0/24 dev vpn0"]


def test_missing_programs_without_apt_name_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program, path=None: None)
    with pytest.raises(LabError, match="missing on this computer") as caught:
        tools.ensure()
    assert "apt-get install" in caught.value.fix
    assert "systemd-container" in caught.value.fix


def test_an_unknown_machine_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    result = CliRunner().invoke(main, ["exec", "--name", "unit", "eu-cp-9", "--", "true"])
    assert result.exit_code == 1
    assert "no machine eu-cp-9" in result.output
    assert "eu-cp-1" in result.output
