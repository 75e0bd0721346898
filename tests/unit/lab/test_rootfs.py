"""The base root file system: what machines share of it, and how damage to that is seen."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lab import cache, rootfs
from lab.spec import load


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A sealed root file system with a program and a setting."""
    root = tmp_path / "base"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/tool").write_text("tool")
    (root / "etc").mkdir()
    (root / "etc/setting").write_text("as delivered")
    (root / "bin").symlink_to("usr/bin")
    rootfs.seal(root)
    return root


def _copy(base: Path, target: Path) -> Path:
    subprocess.run(rootfs.copying(base, target), check=True)
    return target


def test_a_machine_shares_programs_and_has_its_own_settings(base: Path, tmp_path: Path) -> None:
    machine = _copy(base, tmp_path / "machine")
    assert (machine / "usr/bin/tool").samefile(base / "usr/bin/tool")
    assert not (machine / "etc/setting").samefile(base / "etc/setting")
    assert (machine / "bin").readlink() == Path("usr/bin")
    assert sorted(path.name for path in machine.iterdir()) == ["bin", "etc", "usr"]


def test_replacing_a_program_in_a_machine_leaves_the_base_intact(base: Path, tmp_path: Path) -> None:
    machine = _copy(base, tmp_path / "machine")
    (machine / "usr/bin/new").write_text("another")
    (machine / "usr/bin/new").rename(machine / "usr/bin/tool")
    assert (base / "usr/bin/tool").read_text() == "tool"
    assert rootfs.intact(base)


def test_writing_into_a_shared_program_is_noticed(base: Path, tmp_path: Path) -> None:
    machine = _copy(base, tmp_path / "machine")
    (machine / "usr/bin/tool").write_text("evil")
    assert not rootfs.intact(base)


def test_changing_the_mode_of_a_shared_program_is_noticed(base: Path, tmp_path: Path) -> None:
    machine = _copy(base, tmp_path / "machine")
    (machine / "usr/bin/tool").chmod(0o4755)
    assert not rootfs.intact(base)


def test_what_is_left_of_a_killed_making_is_deleted_first(tmp_path: Path) -> None:
    target = tmp_path / "rootfs-key"
    (tmp_path / "rootfs-key.4711.new/usr").mkdir(parents=True)
    scratch = cache.fresh_scratch(target)
    assert list(tmp_path.iterdir()) == []
    assert scratch.name == f"rootfs-key.{os.getpid()}.new"


def test_another_list_of_packages_is_another_root_file_system() -> None:
    spec = load()
    assert rootfs.key(spec) == rootfs.key(replace(spec, system_packages=spec.system_packages[::-1]))
    assert rootfs.key(spec) != rootfs.key(replace(spec, system_packages=(*spec.system_packages, "vim-tiny")))


def test_each_suite_has_a_root_file_system_of_its_own() -> None:
    spec = load()
    assert rootfs.key(spec) != rootfs.key(replace(spec, suite="trixie"))
