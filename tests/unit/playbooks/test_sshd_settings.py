"""Settings of sshd on a host that is a directory: accepted first, taken back unless they are confirmed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.playbooks.conftest import ModuleFailed

Run = Callable[..., dict[str, Any]]
SETTINGS = {"PasswordAuthentication": "no", "PermitRootLogin": "prohibit-password"}
PROGRAM = """\
#!/bin/sh
echo "{name} $*" >>{directory}/log
. {directory}/{name}.then
"""


class Host:
    """A machine with an sshd that reads the file, and a systemd that notes what it is told."""

    def __init__(self, module: ModuleType, directory: Path) -> None:
        self.module, self.directory = module, directory
        self.file = directory / "00-crossmesh.conf"
        self.unconfirmed = directory / "sshd-unconfirmed"

    def then(self, name: str, script: str) -> None:
        """What a program does."""
        (self.directory / f"{name}.then").write_text(f"{script}\n")

    def log(self) -> list[str]:
        path = self.directory / "log"
        return path.read_text().splitlines() if path.exists() else []

    def armed(self) -> str:
        """The script by which the host takes it back."""
        (line,) = [line for line in self.log() if line.startswith("systemd-run")]
        return line.partition("/bin/sh -c ")[2]


@pytest.fixture
def host(
    ansible_module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Host:
    module = ansible_module("sshd_settings")
    found = Host(module, tmp_path)
    run = module.run

    def runs(*command: Any, **more: Any) -> Any:
        return run(tmp_path / Path(command[0]).name, *command[1:], **more)

    for name in ("sshd", "systemctl", "systemd-run", "sh"):
        (tmp_path / name).write_text(PROGRAM.format(name=name, directory=tmp_path))
        (tmp_path / name).chmod(0o755)
        found.then(name, "exit 0")
    found.then("sshd", f"tr '[:upper:]' '[:lower:]' <{found.file}; echo port 22")
    monkeypatch.setattr(module, "run", runs)
    monkeypatch.setattr(module, "FILE", found.file)
    monkeypatch.setattr(module, "STATE", tmp_path)
    return found


def test_they_are_in_effect_and_a_switch_is_armed_before_sshd_reads_them(host: Host, run_module: Run) -> None:
    result = run_module(host.module, settings=SETTINGS)
    assert (result["changed"], result["told"]) == (
        True,
        ["PasswordAuthentication no", "PermitRootLogin prohibit-password"],
    )
    assert host.file.stat().st_mode & 0o777 == 0o600
    order = [line.split()[0] for line in host.log()]
    assert order == ["sshd", "systemctl", "systemd-run", "sh"]
    assert "--on-active=120" in " ".join(host.log())
    assert host.armed().startswith(f"if [ -e {host.unconfirmed} ]; then rm -f {host.file};")
    assert host.unconfirmed.exists()


def test_what_was_confirmed_is_left_and_what_was_not_is_tried_again(host: Host, run_module: Run) -> None:
    run_module(host.module, settings=SETTINGS)
    again = run_module(host.module, settings=SETTINGS)
    assert again["changed"], "nobody has logged in yet"
    host.unconfirmed.unlink()
    count = len(host.log())
    assert run_module(host.module, settings=SETTINGS)["changed"] is False
    assert len(host.log()) == count


def test_another_setting_goes_back_to_the_one_before(host: Host, run_module: Run) -> None:
    run_module(host.module, settings=SETTINGS)
    host.unconfirmed.unlink()
    before = host.file.read_text()
    (host.directory / "log").unlink()
    run_module(host.module, settings={**SETTINGS, "PermitRootLogin": "no"})
    assert f"cp {host.directory / 'sshd-before'} {host.file}" in host.armed()
    assert (host.directory / "sshd-before").read_text() == before


@pytest.mark.parametrize(
    ("program", "script", "words"),
    [
        ("sshd", "echo 'line 3: bad option' >&2; exit 255", "line 3: bad option"),
        ("sshd", "echo passwordauthentication yes; echo permitrootlogin no", "PasswordAuthentication is yes"),
        ("systemd-run", "echo 'no bus' >&2; exit 1", "no bus"),
        ("sh", "echo 'reload failed' >&2; exit 1", "reload failed"),
    ],
)
def test_what_sshd_would_not_go_by_is_not_there_afterwards(
    host: Host, run_module: Run, program: str, script: str, words: str
) -> None:
    host.then(program, script)
    with pytest.raises(ModuleFailed, match=words):
        run_module(host.module, settings=SETTINGS)
    assert not host.file.exists()
    assert not host.unconfirmed.exists()


def test_sshd_s_other_word_for_a_key_alone_is_the_same(host: Host, run_module: Run) -> None:
    host.then("sshd", "echo passwordauthentication no; echo permitrootlogin without-password")
    assert run_module(host.module, settings=SETTINGS)["changed"]


def test_where_nothing_is_declared_nothing_is_run_and_what_was_is_removed(
    host: Host, run_module: Run
) -> None:
    assert run_module(host.module, settings={})["changed"] is False
    assert host.log() == []
    run_module(host.module, settings=SETTINGS)
    host.unconfirmed.unlink()
    host.then("sshd", "echo port 22")
    assert run_module(host.module, settings={})["told"] == ["sshd as it was made"]
    assert not host.file.exists()
