"""Kernel settings are raised for the first lab and put back after the last."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import host
from lab.errors import LabError

_SETTING = "fs/inotify/max_user_instances"


@pytest.fixture
def sys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc/sys with two settings, and a /run of the test's own."""
    root = tmp_path / "sys"
    for name, value in ((_SETTING, "128\n"), ("vm/overcommit_memory", "0\n")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(value)
    monkeypatch.setattr(host, "_SYS", root)
    monkeypatch.setattr(host, "RUN_DIR", tmp_path / "run")
    monkeypatch.setattr(host, "_LOCK", tmp_path / "run" / "labs.lock")
    return root


def test_settings_are_as_before_after_the_last_lab(sys: Path, tmp_path: Path) -> None:
    host.register("one", Path("/state/labs/one"))
    assert int((sys / _SETTING).read_text()) == 8192
    # Written from within a machine.
    (sys / "vm/overcommit_memory").write_text("1\n")
    host.register("two", Path("/state/labs/two"))
    host.unregister("one")
    assert (sys / "vm/overcommit_memory").read_text() == "1\n"
    host.unregister("two")
    assert (sys / _SETTING).read_text() == "128\n"
    assert (sys / "vm/overcommit_memory").read_text() == "0\n"
    assert not (tmp_path / "run").exists()


def test_a_value_that_is_high_already_is_left(sys: Path) -> None:
    (sys / _SETTING).write_text("100000\n")
    host.register("one", Path("/state/labs/one"))
    assert (sys / _SETTING).read_text() == "100000\n"


def test_a_lab_of_the_same_name_from_elsewhere_is_refused(sys: Path) -> None:
    host.register("one", Path("/home/a/.local/state/crossmesh/labs/one"))
    host.register("one", Path("/home/a/.local/state/crossmesh/labs/one"))
    with pytest.raises(LabError, match="another lab called one is running") as caught:
        host.register("one", Path("/home/b/.local/state/crossmesh/labs/one"))
    assert "XDG_STATE_HOME=/home/a/.local/state" in caught.value.fix


def test_stopping_what_never_ran_is_harmless(sys: Path, tmp_path: Path) -> None:
    host.unregister("one")
    assert host.owner("one") is None
    assert not (tmp_path / "run").exists()
