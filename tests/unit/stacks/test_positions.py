"""Reading YAML with lines: values that look like dates and are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacks.positions import parse


@pytest.mark.parametrize(("value", "problems"), [("2027-02-28", 0), ("2027-02-30", 1), ("'2027-02-30'", 0)])
def test_a_day_that_there_is_not_is_a_problem_of_its_line(value: str, problems: int) -> None:
    document = parse(f"other: x\nday: {value}\n", Path("file.yaml"))
    assert [(problem.line, problem.got) for problem in document.problems] == [(2, "2027-02-30")] * problems
    assert "2027-02" in str(document.get(("day",)))
