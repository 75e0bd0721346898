"""What people write, and what they are told: what to do next, and nothing that is not so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks.errors import Problem, StackFileError
from stacks.load import load_stack
from tests.unit.stacks.bad import Write
from tests.unit.stacks.conftest import changed

WRONG: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("wrong.yaml").read_text())
RIGHT = {name for name, case in WRONG.items() if set(case) == {"change"}}


def told(path: Path) -> list[Problem]:
    try:
        load_stack(path, require_ledger=False)
    except StackFileError as error:
        return list(error.problems)
    return []


def _text(case: dict[str, Any]) -> str:
    return changed(tuple(case["change"]), *([tuple(case["also"])] if "also" in case else []))


def test_there_are_forty_of_them() -> None:
    assert len(set(WRONG) - RIGHT) >= 40


@pytest.mark.parametrize("name", WRONG)
def test_who_writes_it_is_told_what_to_do_and_nothing_that_is_not_so(name: str, write: Write) -> None:
    case = WRONG[name]
    problems = told(write(_text(case)))
    said = "\n".join(problem.render("file") for problem in problems)
    assert len(problems) == (0 if name in RIGHT else 1), said
    for part in ("got", "rule", "fix"):
        assert any(case.get(part, "") in getattr(problem, part) for problem in problems) or name in RIGHT, (
            said
        )
    for words in case.get("untold", ()):
        assert words not in said


@pytest.mark.parametrize("name", [name for name, case in WRONG.items() if "then" in case])
def test_what_the_advice_makes_of_it_is_right(name: str, write: Write) -> None:
    case = WRONG[name]
    text = _text(case)
    written, now = case["then"]
    assert text.count(written) == 1
    assert told(write(text.replace(written, now))) == []
