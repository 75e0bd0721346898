"""The wheel: it is made offline, holds the files of every package, and runs where no checkout is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from access.paths import version
from gate.workspace import copy_tree
from tests.unit.test_rooms import ROOT, rooms


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from a copy of the checkout."""
    work = tmp_path_factory.mktemp("wheel")
    copy_tree(ROOT, work / "project")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*command, "--wheel-dir", str(work), str(work / "project")], check=True, timeout=100)
    (built,) = work.glob("crossmesh-*.whl")
    return built


def test_it_holds_the_files_of_every_package_and_nothing_else(wheel: Path) -> None:
    packages = sorted(rooms() - {"benchmarks", "docs"})
    listed = subprocess.run(
        ["git", "ls-files", *packages], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # Hidden ones are for git and linters.
    tracked = {path for path in map(Path, listed.stdout.split()) if not path.name.startswith(".")}
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == {str(path) for path in tracked if (ROOT / path).is_file()}


def test_it_needs_what_is_declared_and_no_tool_of_developers(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = Parser().parsestr(archive.read(f"crossmesh-{version()}.dist-info/METADATA").decode())
    needs = {requirement.partition("==")[0] for requirement in metadata.get_all("Requires-Dist", [])}
    assert {"pulumi", "click", "pydantic"} <= needs
    assert not {"ruff", "pytest", "setuptools"} & needs
    assert metadata["License-Expression"] == "Apache-2.0"


def test_its_command_runs_where_no_checkout_is(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-m", "operations", "--version"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"crossmesh {version()}\n"
