"""What the labs' cache holds: what is keyed by something of today, and nothing of layouts that are gone."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lab import cache
from lab.mirror.service import KINDS
from lab.mirror.signing import HOME

KEY = "0123456789abcdef"
OF_TODAY = (
    *("signing", f"rootfs-bookworm-{KEY}", f"apt-trixie-{KEY}", f".apt-trixie-{KEY}.lock"),
    *(f"rootfs-bookworm-{KEY}.4711.new", f"emulated-bookworm-{KEY}", f"emulator-{KEY}"),
    *(
        f"images-kubernetes-control-plane-1.35.3-{KEY}",
        f"images-tools-{KEY}",
        f"program-asset-service-{KEY}",
        f"base-{KEY}",
    ),
)
OF_BEFORE = (
    f"images-istio-{KEY}",
    f"images-{KEY}",
    "programs",
    "digests.json",
    f"base-{KEY}.tar",
    ".images-istio.lock",
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setattr(cache, "cache_dir", lambda: tmp_path)
    return tmp_path


def put(home: Path, *names: str, hours: float = 0) -> None:
    """Make entries that were used so many hours ago."""
    for name in names:
        path = home / name
        if path.suffix in {".json", ".tar", ".lock"}:
            path.touch()
        else:
            path.mkdir()
            (path / "file").write_text("content")
        os.utime(path, (time.time() - 3600 * hours,) * 2)


def names(home: Path) -> set[str]:
    return {path.name for path in home.iterdir()}


def test_what_earlier_versions_laid_down_is_removed_in_a_line(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(home, *OF_TODAY, *OF_BEFORE, hours=30)
    cache.prune(KINDS, keep=[HOME])
    assert names(home) == set(OF_TODAY)
    (line,) = capsys.readouterr().err.splitlines()
    assert "6 entries" in line
    cache.prune(KINDS, keep=[HOME])
    assert capsys.readouterr().err == ""


def test_what_another_version_may_be_using_stays_for_a_day(home: Path) -> None:
    put(home, *OF_BEFORE, hours=20)
    cache.prune(KINDS, keep=[HOME])
    assert names(home) == set(OF_BEFORE)


def test_an_entry_that_another_process_is_making_is_not_taken_for_an_old_one(home: Path) -> None:
    made = (f"rootfs-{number:016x}" for number in range(3))
    put(home, *made, hours=2)
    put(home, f"rootfs-{KEY}.4711.new", hours=3)
    cache.entry("rootfs", "f" * 16, Path.mkdir)
    assert f"rootfs-{KEY}.4711.new" in names(home)
    assert len([name for name in names(home) if name.startswith("rootfs") and "new" not in name]) == 2


def test_nothing_is_removed_where_there_is_no_cache_yet() -> None:
    cache.prune(KINDS, keep=[HOME])
    assert not cache.cache_dir().exists()
