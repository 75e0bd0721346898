"""Settings that are wished for: set where they are not good and can be, and left otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]
WISHED = {"kernel.kptr": [1, 2], "net.redirects": [0], "net.absent": [1]}


@pytest.fixture
def module(
    ansible_module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The module on a machine whose kernel has two settings, with no good value."""
    found = ansible_module("kernel_settings")
    kernel = tmp_path / "sys"
    for name, value in {"kernel/kptr": "0", "net/redirects": "1"}.items():
        (kernel / name).parent.mkdir(parents=True)
        (kernel / name).write_text(f"{value}\n")
    monkeypatch.setattr(found, "setting_path", lambda name, _=None: kernel.joinpath(*name.split(".")))
    monkeypatch.setattr(found, "current", lambda name, _=None: _read(kernel.joinpath(*name.split("."))))
    monkeypatch.setattr(found, "MODULES_FILE", tmp_path / "modules.conf")
    monkeypatch.setattr(found, "SYSCTLS_FILE", tmp_path / "sysctls.conf")
    monkeypatch.setattr(found, "CONTAINER", tmp_path / "container")
    return found


def _read(path: Path) -> str | None:
    return path.read_text().strip() if path.exists() else None


def test_what_is_not_good_gets_the_first_value_now_and_at_boot_once(
    module: ModuleType, run_module: Run, tmp_path: Path
) -> None:
    result = run_module(module, wished=WISHED)
    assert (result["changed"], result["set"]) == (True, ["kernel.kptr", "net.redirects"])
    assert (tmp_path / "sysctls.conf").read_text() == "-kernel.kptr = 1\n-net.redirects = 0\n"
    assert run_module(module, wished=WISHED)["changed"] is False
    assert (tmp_path / "sysctls.conf").read_text() == "-kernel.kptr = 1\n-net.redirects = 0\n"


def test_what_is_good_already_is_left_to_whoever_set_it(
    module: ModuleType, run_module: Run, tmp_path: Path
) -> None:
    (tmp_path / "sys" / "kernel" / "kptr").write_text("2\n")
    assert run_module(module, wished=WISHED)["set"] == ["net.redirects"]
    assert (tmp_path / "sysctls.conf").read_text() == "-net.redirects = 0\n"


def test_in_a_container_the_computer_s_own_settings_are_left(
    module: ModuleType, run_module: Run, tmp_path: Path
) -> None:
    (tmp_path / "container").write_text("systemd-nspawn\n")
    assert run_module(module, wished=WISHED)["set"] == ["net.redirects"]
    assert (tmp_path / "sys" / "kernel" / "kptr").read_text() == "0\n"
    assert run_module(module, wished=WISHED)["changed"] is False


def test_what_the_kernel_refuses_is_left_and_no_error(
    module: ModuleType, run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_text

    def refusing(path: Path, text: str) -> int:
        if path.name == "kptr":
            raise PermissionError(1, "Operation not permitted")
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", refusing)
    assert run_module(module, wished=WISHED)["set"] == ["net.redirects"]
    assert run_module(module, wished=WISHED)["changed"] is False


def test_what_somebody_changed_is_set_again(module: ModuleType, run_module: Run, tmp_path: Path) -> None:
    run_module(module, wished=WISHED)
    (tmp_path / "sys" / "net" / "redirects").write_text("1\n")
    result = run_module(module, wished=WISHED)
    assert (result["set"], result["files"]) == (["net.redirects"], [])
