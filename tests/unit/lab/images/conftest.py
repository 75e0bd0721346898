from __future__ import annotations

from pathlib import Path

import pytest

from lab.images.definitions import Sources
from lab.images.layer import FileLayer, text
from toolchain.manifest import manifest


class FakeSources:
    """Each program is a file that holds its own name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def program(self, name: str, version: str | None = None) -> Path:
        if version is not None:
            # The toolchain has it, or says that there is none.
            manifest().entry(name, version)
        path = self.directory / name
        if not path.exists():
            path.write_bytes(f"program {name}".encode())
        return path

    data = program
    compiled = program

    def version(self, name: str) -> str:
        return {"envoy": "1.40.0"}[name]

    def base(self) -> FileLayer:
        return FileLayer((text("etc/os-release", "ID=debian\n"),))


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The directory of the programs that ``sources`` gives."""
    directory = tmp_path / "programs"
    directory.mkdir()
    return directory


@pytest.fixture
def sources(programs: Path) -> Sources:
    """Sources of images whose programs are small files."""
    return FakeSources(programs)


@pytest.fixture(autouse=True)
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    home = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    return home / "crossmesh" / "lab"
