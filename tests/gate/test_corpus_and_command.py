"""The corpus shares what is dear; `crossmesh gate --base`, which shares nothing, says the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.gate import edits
from tests.gate.cases import Case, bases, pairs
from tests.gate.harness import Harness

NAME = "change/plain-text-again"
CASE = Case(NAME, "bad", pairs()[NAME])


def git(directory: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=corpus", "-c", "user.email=corpus@example.com")
    subprocess.run(
        ["git", "-C", str(directory), *identity, *arguments], check=True, capture_output=True, timeout=60
    )


@pytest.fixture
def checkout(harness: Harness, tmp_path: Path) -> Path:
    """A repository whose commit is the environment before, and whose working tree has the change."""
    root = tmp_path / "checkout"
    shutil.copytree(harness.snapshot(), root)
    base = bases()[CASE.pair.base]
    edits.apply(base.edits, root, base.stack)
    git(root, "init", "--quiet")
    git(root, "add", "--all", "--force")
    git(root, "commit", "--quiet", "--message", "the environment before")
    for step in (CASE.pair.both, CASE.change):
        edits.apply(step, root, base.stack)
    return root


@pytest.mark.xdist_group(NAME)
def test_the_command_says_what_the_corpus_says(harness: Harness, checkout: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "operations", "gate", "--stack", "lab", "--base", "HEAD", "--hermetic"]
    done = subprocess.run(
        [*command, "--today", CASE.change.gate.today.isoformat(), "--report", f"json={report}"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert report.is_file(), done.stderr
    found, _ = harness.examine(CASE)
    assert done.returncode == int(found.verdict.code)
    (said,) = json.loads(report.read_text())["stacks"]
    assert _changes(said) == {(str(change.op), change.urn) for change in found.changes.changes}
    assert said["verdict"]["words"] == found.verdict.words


def _changes(said: dict[str, Any]) -> set[tuple[str, str]]:
    return {(change["op"], change["urn"]) for change in said["changes"]}
