"""Every change of the corpus: the gate's verdict, findings and exit code are those that it must give."""

from __future__ import annotations

import shutil

import pytest

from tests.gate.cases import Case, bases, cases
from tests.gate.compare import differences
from tests.gate.harness import Harness


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.id, marks=pytest.mark.xdist_group(case.name)) for case in cases()],
)
def test_the_gate_says_of_a_change_what_it_must(case: Case, harness: Harness) -> None:
    found, project = harness.examine(case)
    try:
        lines = differences(case.change.expect, bases()[case.pair.base].standing, found, project)
    finally:
        shutil.rmtree(project.parent)
    assert not lines, "\n".join([f"{case.id}: {case.pair.title}", *lines])
