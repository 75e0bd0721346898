"""`crossmesh hardening`: table, JSON and exit codes."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from live.hardening import listed
from live.hardening.model import Entry, fails, holds, unknown
from live.hardening.points import POINTS
from operations.cli import crossmesh

PROFILING = next(point for point in POINTS if point.number == "1.2.15")
AUDIT = next(point for point in POINTS if point.number == "1.2.16")
GOOD = Entry("eu", "eu-cp-1", PROFILING, holds("--profiling=false"))
BAD = Entry("eu", "eu-cp-1", AUDIT, fails("no --audit-log-path"))
ALSO_BAD = Entry("us", "us-cp-1", AUDIT, fails("no --audit-log-path"))
SILENT = [Entry("us", "us-cp-2", point, unknown("no route to it"), "mend it") for point in (PROFILING, AUDIT)]


def run(monkeypatch: pytest.MonkeyPatch, entries: list[Entry], *arguments: str) -> Result:
    asked = []

    def read(stack: str, region: str | None) -> list[Entry]:
        asked.append((stack, region))
        return [entry for entry in entries if region in (None, entry.region)]

    monkeypatch.setattr(listed, "read", read)
    return CliRunner().invoke(crossmesh, ["hardening", "--stack", "lab", *arguments])


def test_each_point_is_a_row_and_the_last_line_is_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, [GOOD])
    assert done.exit_code == 0
    words = " ".join(done.output.split())
    for word in ("eu, eu-cp-1", "1.2.15", "--profiling=false", "Crossmesh's role", "holds"):
        assert word in words
    assert done.output.splitlines()[-1] == "1 hold, 0 do not, 0 not known, 0 do not apply"


def test_what_does_not_hold_is_mended_in_one_line_for_all_places(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, [GOOD, BAD, ALSO_BAD])
    assert done.exit_code == 14
    (line,) = [line for line in done.output.splitlines() if line.startswith("1.2.16 (")]
    assert line.startswith("1.2.16 (eu/eu-cp-1, us/us-cp-1): run `pulumi up --refresh`")


def test_a_host_that_does_not_answer_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, [GOOD, *SILENT])
    assert done.exit_code == 11
    assert done.output.count("us/us-cp-2: not known: no route to it; fix: mend it") == 1


def test_programs_get_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, [GOOD, BAD, ALSO_BAD], "--json", "--region", "eu")
    assert done.exit_code == 14
    first, second = json.loads(done.stdout)
    assert first == {
        "number": "1.2.15",
        "title": PROFILING.title,
        "region": "eu",
        "at": "eu-cp-1",
        "there": "--profiling=false",
        "wanted": "--profiling=false",
        "state": "holds",
        "decidedBy": "Crossmesh's role",
        "fix": "",
    }
    assert second["fix"] == AUDIT.fix
