"""The module configured_service, with systemd and a daemon that are scripts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.playbooks.conftest import ModuleFailed

RUNS = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "ReloadResult": "success",
    "NeedDaemonReload": "no",
    "DropInPaths": "",
}
STAMPS = ("ExecMainStartTimestampMonotonic", "StateChangeTimestampMonotonic")
Run = Callable[..., dict[str, Any]]


class Systemd:
    """A unit whose properties the test sets, and what was asked of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        # As systemd does it, what is empty is shown only to who asks for it by name.
        shown = f'[ "$1" = show ] && case "$*" in *--property=*) exec cat {directory}/unit;; esac'
        hidden = f'[ "$1" = show ] && exec grep -v "=$" {directory}/unit'
        self._script("systemctl", f"{shown}\n{hidden}")
        self._script("journalctl", "echo the unit says why")
        self._script("read-zones", "")
        self.is_()

    def _script(self, name: str, body: str, code: int = 0) -> None:
        file = self.directory / name
        file.write_text(f'#!/bin/sh\n{body}\necho "{name} $*" >> {self.directory}/log\nexit {code}\n')
        file.chmod(0o755)

    def is_(self, applied_before: float = 0.0, **properties: str) -> None:
        """Set the unit's properties. applied_before: seconds since it last started or changed."""
        since = str(int((time.monotonic() - applied_before) * 1e6))
        values = {**RUNS, **dict.fromkeys(STAMPS, since), **properties}
        (self.directory / "unit").write_text("".join(f"{key}={value}\n" for key, value in values.items()))

    def fails(self, program: str) -> None:
        """From now on the program refuses what it is told."""
        show = f'[ "$1" = show ] && exec cat {self.directory}/unit' if program == "systemctl" else ""
        self._script(program, show, 42)

    def asked(self) -> list[str]:
        """What was asked since the last time."""
        log = self.directory / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return Systemd(tmp_path / "bin")


@pytest.fixture
def service(
    ansible_module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    module = ansible_module("configured_service")
    monkeypatch.setattr(module, "STATE", tmp_path / "state")
    return module


def written(path: Path, ago: float = 0.0) -> str:
    """Write a file so many seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time.time() - ago, time.time() - ago))
    return str(path)


def test_a_reload_that_failed_is_not_taken_for_an_applied_one(
    run_module: Run, service: ModuleType, systemd: Systemd, tmp_path: Path
) -> None:
    params = {"name": "x.service", "files": [written(tmp_path / "config", ago=10)], "strategy": "reloaded"}
    systemd.is_(applied_before=60)
    systemd.fails("systemctl")
    with pytest.raises(ModuleFailed, match=r"systemctl reload x\.service failed: (.|\n)*the unit says why"):
        run_module(service, **params)
    # systemd moves the time of the last change at a failed reload too.
    systemd.is_(ReloadResult="exit-code")
    with pytest.raises(ModuleFailed, match=r"systemctl reload x\.service failed"):
        run_module(service, **params)
    systemd.is_()
    assert run_module(service, **params)["changed"] is False


def data_params(tmp_path: Path) -> dict[str, Any]:
    return {
        "name": "x.service",
        "files": [written(tmp_path / "config", ago=600)],
        "data_files": [written(tmp_path / "zones" / "a", ago=600), str(tmp_path / "zones")],
        "data_command": "read-zones now",
        "strategy": "reloaded",
    }


def test_changed_data_is_read_without_a_reload_and_once(
    run_module: Run, service: ModuleType, systemd: Systemd, tmp_path: Path
) -> None:
    params = data_params(tmp_path)
    os.utime(tmp_path / "zones", (time.time() - 600, time.time() - 600))
    systemd.is_(applied_before=60)
    assert run_module(service, **params)["changed"] is False
    written(tmp_path / "zones" / "a", ago=10)
    result = run_module(service, **params)
    assert result["actions"] == ["read-zones now"]
    assert systemd.asked() == ["read-zones now"]
    assert run_module(service, **params)["changed"] is False


def test_data_that_was_removed_is_changed_data(
    run_module: Run, service: ModuleType, systemd: Systemd, tmp_path: Path
) -> None:
    params = data_params(tmp_path)
    os.utime(tmp_path / "zones", (time.time() - 600, time.time() - 600))
    written(tmp_path / "zones" / "b", ago=600)
    systemd.is_(applied_before=0)
    (tmp_path / "zones" / "b").unlink()
    assert run_module(service, **params)["actions"] == ["read-zones now"]


def test_data_that_was_not_accepted_is_read_again_by_the_next_run(
    run_module: Run, service: ModuleType, systemd: Systemd, tmp_path: Path
) -> None:
    params = data_params(tmp_path)
    systemd.is_(applied_before=60)
    systemd.fails("read-zones")
    for _ in range(2):
        with pytest.raises(ModuleFailed, match="read-zones now failed"):
            run_module(service, **params)


def test_changed_configuration_is_reloaded_with_the_data(
    run_module: Run, service: ModuleType, systemd: Systemd, tmp_path: Path
) -> None:
    params = data_params(tmp_path)
    written(tmp_path / "config")
    systemd.is_(applied_before=60)
    assert run_module(service, **params)["actions"] == ["reload"]
    assert systemd.asked() == ["systemctl reload x.service"]


def test_data_without_a_command_that_reads_it_is_refused(
    run_module: Run, service: ModuleType, systemd: Systemd
) -> None:
    with pytest.raises(ModuleFailed, match="need the data_command"):
        run_module(service, name="x.service", data_files=["/x"])


def test_systemd_reads_a_drop_in_that_it_has_not_read(
    run_module: Run, service: ModuleType, systemd: Systemd, tmp_path: Path
) -> None:
    drop_in = written(tmp_path / "x.service.d" / "own.conf", ago=600)
    params = {"name": "x.service", "drop_ins": [drop_in]}
    assert run_module(service, **params)["actions"] == ["daemon-reload"]
    assert systemd.asked() == ["systemctl daemon-reload"]
    systemd.is_(DropInPaths=drop_in)
    assert run_module(service, **params)["changed"] is False
    systemd.is_(DropInPaths=drop_in, NeedDaemonReload="yes")
    assert run_module(service, **params)["actions"] == ["daemon-reload"]


def test_what_is_absent_is_told_of_before_anything_is_done(
    run_module: Run, service: ModuleType, systemd: Systemd
) -> None:
    systemd.is_(LoadState="not-found")
    with pytest.raises(ModuleFailed, match=r"x.service is not-found: is its package installed\?"):
        run_module(service, name="x.service")
    assert run_module(service, name="x.service", strategy="stopped") == {"changed": False}


def test_a_program_that_was_replaced_is_started_anew_and_once(
    run_module: Run, service: ModuleType, systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a package brings has the time at which it was built, so that no file is newer."""
    monkeypatch.setattr(service, "PROCESSES", tmp_path)
    process = tmp_path / "42"
    process.mkdir()
    (process / "exe").symlink_to("/usr/bin/kubelet (deleted)")
    systemd.is_(applied_before=60, MainPID="42")
    params = {"name": "kubelet.service", "follows_program": True}
    done = run_module(service, **params)
    assert (done["actions"], done["newer"]) == (["restart"], ["/usr/bin/kubelet"])
    assert run_module(service, name="kubelet.service")["changed"] is False, "only where it is asked for"
    (process / "exe").unlink()
    (process / "exe").symlink_to("/usr/bin/kubelet")
    assert run_module(service, **params)["changed"] is False
