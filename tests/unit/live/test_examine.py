"""However an examination ends, nothing of it stays in the clusters; what does stay is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from access.errors import Unanswered
from live import examine
from live.doctor.model import Check, Finding, Watch
from report.model import Status
from tests.unit.operations.support import make_platform


class Probes:
    """Counts how often it is removed, which may fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.removed = 0

    def remove(self) -> None:
        self.removed += 1
        if self.error:
            raise self.error


def ok(watch: Watch) -> Finding:
    return Finding("", Status.PASS, "")


@pytest.fixture(autouse=True)
def column(monkeypatch: pytest.MonkeyPatch) -> None:
    """One column, of one check."""
    checks = [Check("a", "clusters", "a", ok, declared=("mesh",))]
    monkeypatch.setattr(examine, "COLUMNS", [SimpleNamespace(checks=lambda platform: checks)])


def test_probes_are_removed_when_all_checks_have_ended_and_when_they_were_interrupted() -> None:
    probes = {"eu": Probes(), "us": Probes()}
    platform = make_platform(probes=probes)
    results, leftovers = examine.examine(platform, lambda words: None)
    assert [result.check.id for result in results] == ["a"]
    assert leftovers == []

    def interrupt(words: str) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine.examine(platform, interrupt)
    assert [probe.removed for probe in probes.values()] == [2, 2]


def test_what_cannot_be_removed_is_said_with_when_it_ends_by_itself() -> None:
    probes = {"eu": Probes(Unanswered("no answer")), "us": Probes()}
    _, (words,) = examine.examine(make_platform(probes=probes), lambda words: None)
    assert "probe pods in eu could not be removed (no answer)" in words
    assert "end by themselves within 210 s" in words
