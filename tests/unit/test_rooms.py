"""What holds of every room of the house: its imports are checked, and git sees its files."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
APART = {"tests", "solution"}
"""Directories with Python that is no package of the project."""


def project() -> dict[str, Any]:
    """pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as stream:
        return tomllib.load(stream)


def rooms() -> set[str]:
    """Top-level packages, as git has them."""
    listed = subprocess.run(
        ["git", "ls-files", "*/__init__.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return {path.split("/")[0] for path in listed} - APART


def test_every_room_is_held_to_the_import_contracts() -> None:
    linter = project()["tool"]["importlinter"]
    assert set(linter["root_packages"]) == rooms()
    contracts = {contract["id"]: contract for contract in linter["contracts"]}
    layers = {room for layer in contracts["floors"]["layers"] for room in layer.split(" | ")}
    assert layers == rooms() - {"lab", "toolchain"}
    assert set(contracts["cycles"]["ancestors"]) == rooms()


def test_types_and_the_order_of_imports_are_checked_in_every_room() -> None:
    tools = project()["tool"]
    assert set(tools["mypy"]["packages"]) | {"benchmarks"} == rooms()
    assert set(tools["ruff"]["lint"]["isort"]["known-first-party"]) >= rooms()


@pytest.mark.parametrize("room", sorted(rooms()))
def test_git_ignores_no_new_file_of_a_room(room: str) -> None:
    ignored = subprocess.run(["git", "check-ignore", f"{room}/new.py"], cwd=ROOT, check=False)
    assert ignored.returncode == 1
