from __future__ import annotations

from pathlib import Path

import pytest

from lab import cache
from lab.errors import LabError
from lab.images.compiled import source_digest


def test_an_interrupted_replacement_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), cache.replacing(target) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "old" and list(tmp_path.glob(".target*")) == []


def test_replaced_files_are_readable_and_programs_stay_programs(tmp_path: Path) -> None:
    with cache.replacing(tmp_path / "file") as temporary:
        temporary.write_text("x")
    with cache.replacing(tmp_path / "program") as temporary:
        temporary.chmod(0o700)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "program").stat().st_mode & 0o777 == 0o755


def test_tests_do_not_change_a_programs_digest_and_sources_do(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module x\n")
    (tmp_path / "main.go").write_text("package main\n")
    before = source_digest(tmp_path)
    (tmp_path / "main_test.go").write_text("package main\n")
    (tmp_path / "notes.txt").write_text("notes")
    assert source_digest(tmp_path) == before
    (tmp_path / "main.go").write_text("package main // changed\n")
    assert source_digest(tmp_path) != before


def test_a_directory_without_a_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"no go\.mod"):
        source_digest(tmp_path)
