"""Machines are told of built-in modules that are seen, and of no others."""

from __future__ import annotations

import os
from pathlib import Path

from lab import kernel


def test_only_what_is_seen_is_listed(tmp_path: Path) -> None:
    (tmp_path / "module/vxlan").mkdir(parents=True)
    (tmp_path / "filesystems").write_text("nodev\toverlay\n\text4\n")
    names = kernel.built_in(tmp_path / "module", tmp_path / "filesystems")
    assert {"overlay", "vxlan"} <= set(names)
    assert "ip_vs" not in names
    assert "ext4" not in names


def test_a_kernel_with_loadable_modules_shows_their_directory(tmp_path: Path) -> None:
    assert kernel.module_directories(tmp_path) == []
    (tmp_path / os.uname().release).mkdir()
    assert kernel.module_directories(tmp_path) == [tmp_path / os.uname().release]
