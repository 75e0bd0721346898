"""`crossmesh runbook run`: what it says where something stands against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from operations.cli import crossmesh
from report.problem import Problem
from runbooks import drive
from runbooks import journal as journals
from runbooks.catalogue import runbook
from runbooks.drive import Plan
from runbooks.model import Blast

BUDGET = Problem("shop/web-1 may not be evicted: the budget shop/web allows none", "have it allow one")
ALONE = Problem("shop/web-1 is the only one", blocks=False)


@pytest.mark.parametrize(
    ("problems", "last"),
    [
        ([BUDGET, ALONE], f"does not begin: {BUDGET.what}"),
        ([BUDGET, BUDGET, ALONE], f"{BUDGET.what}; 1 more of what stands against it is above"),
    ],
)
def test_what_stands_against_it_is_in_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, problems: list[Problem], last: str
) -> None:
    book = runbook("drain-node")

    @contextmanager
    def opened(name: str, stack: str, given: Mapping[str, str]) -> Iterator[tuple[Any, None, dict[str, str]]]:
        yield book, None, dict(given)

    monkeypatch.setattr(drive, "opened", opened)
    monkeypatch.setattr(journals, "home", lambda stack: tmp_path)
    monkeypatch.setattr(
        drive, "plan", lambda *asked: Plan(book, {}, Blast("eu-worker-1", []), problems, [], 0.0, 0)
    )
    done = CliRunner().invoke(
        crossmesh, ["runbook", "run", "drain-node", "node=eu-worker-1", "--stack", "lab", "--yes"]
    )
    assert done.exit_code == 1
    assert done.output.rstrip().splitlines()[-2].endswith(last)
    assert done.output.rstrip().endswith(f"fix: {BUDGET.fix}")
