"""What holds of every room of the house: its size, its imports are checked, and git sees its files."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections import Counter
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


def listed(*patterns: str) -> list[str]:
    """Paths of files, as git has them."""
    command = ["git", "ls-files", *patterns]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def rooms() -> set[str]:
    """Top-level packages."""
    return {path.split("/")[0] for path in listed("*/__init__.py")} - APART


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


def test_no_room_holds_more_than_a_quarter_of_the_code() -> None:
    lines, all_rooms = Counter[str](), rooms()
    for path in listed("*.py", "*.yml", "*.j2", "*.sh", "*.go"):
        room = path.split("/")[0]
        if room in all_rooms:
            lines[room] += len((ROOT / path).read_text(encoding="utf-8").splitlines())
    assert set(lines) == all_rooms
    assert {room: count for room, count in lines.items() if count > lines.total() / 4} == {}


def imports_for_types(path: Path) -> set[str]:
    """The modules that a module imports for its types alone."""
    guarded = (
        statement
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
    )
    return {statement.module or "" for statement in guarded if isinstance(statement, ast.ImportFrom)}


def imports_to_run(path: Path) -> set[str]:
    """The modules that it imports whenever it is imported, or later."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not isinstance(node, ast.If)]
    return {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_the_contract_on_circles_leaves_out_what_types_alone_need() -> None:
    contracts = {contract["id"]: contract for contract in project()["tool"]["importlinter"]["contracts"]}
    left_out = [entry.split(" -> ") for entry in contracts["cycles"]["ignore_imports"]]
    assert left_out
    for importer, imported in left_out:
        path = ROOT.joinpath(*importer.split(".")).with_suffix(".py")
        assert imported in imports_for_types(path)
        assert imported not in imports_to_run(path)
