"""Pages that are made from code are those of the code as it is now; what links lead to is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docs import architecture
from docs.generated import PAGES
from report.exit_codes import ExitCode
from tests.unit.test_rooms import ROOT, rooms

_LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)")
MARKDOWN = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_that_is_made_from_code_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path](), "run `make docs`"


def test_each_floor_of_the_contract_is_in_the_picture() -> None:
    assert set(architecture.WORDS) == rooms() - {"lab", "toolchain", "benchmarks", "docs", "upkeep"}
    assert architecture.floors()[0] == "operations" and architecture.floors()[-1] == "releases"
    ElementTree.fromstring(architecture.render())


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_page_leads_to_is_there(page: Path) -> None:
    if page.name.endswith("-introduction.md"):
        base = ROOT / "docs" / "reference"
    else:
        base = page.parent
    missing = [target for target in _LINK.findall(page.read_text()) if not (base / target).exists()]
    assert not missing


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    # Those of decisions and of runbooks have an index of their own.
    apart = {ROOT / "docs" / "decisions", ROOT / "docs" / "runbooks"}
    pages = [path for path in MARKDOWN if path.is_relative_to(ROOT / "docs") and path.parent not in apart]
    assert "(runbooks/README.md)" in index
    missing = [str(path) for path in pages if f"({path.relative_to(ROOT / 'docs')})" not in index]
    assert [path for path in missing if not path.endswith("docs/README.md")] == []


def test_every_decision_is_in_its_index() -> None:
    decisions = ROOT / "docs" / "decisions"
    index = (decisions / "README.md").read_text()
    pages = [path.name for path in decisions.glob("*.md") if path.name != "README.md"]
    assert [name for name in pages if f"({name})" not in index] == []


def test_the_readme_leads_to_every_exit_code() -> None:
    assert f"| 3 to {max(ExitCode)} |" in (ROOT / "README.md").read_text()
