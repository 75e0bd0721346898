from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
from rich.console import Console

import live.doctor.report as report
from live.doctor.model import Check, Finding, Result, Status

SCHEMA = json.loads((Path(report.__file__).parent / "schema.json").read_text())


def result(id_: str, status: Status, explanation: str = "", fix: str = "") -> Result:
    check = Check(id_, "names", f"title of {id_}", lambda watch: finding)
    finding = Finding(status, "something", "something else", explanation, fix, ("one", "two"))
    return Result(check, finding, 0.25)


RESULTS = [
    result("good", Status.OK),
    result("bad", Status.FAILED, "the pod is gone", "bring it back"),
    result("dark", Status.NOT_MEASURABLE, "it rests on bad", "mend bad"),
]


def test_the_json_is_what_the_schema_says() -> None:
    document = report.as_json("lab", datetime(2026, 1, 2, tzinfo=UTC), 1.5, RESULTS)
    jsonschema.validate(document, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert document["counts"] == {"ok": 1, "failed": 1, "not-measurable": 1}
    assert document["healthy"] is False
    assert document["checks"][1]["fix"] == "bring it back"


def test_only_checks_that_are_all_ok_are_healthy() -> None:
    assert report.is_healthy(RESULTS[:1])
    assert not report.is_healthy([RESULTS[0], RESULTS[2]])


def printed(details: bool) -> str:
    stream = io.StringIO()
    report.print_table(Console(file=stream, width=100, highlight=False), RESULTS, 1.5, details=details)
    return stream.getvalue()


def test_the_table_names_every_check_and_below_it_cause_and_fix_of_the_bad_ones() -> None:
    text = printed(details=False)
    for words in ("good", "bad", "dark", "the pod is gone", "bring it back", "1 of 3 checks ok"):
        assert words in text
    assert text.count("cause") == 2


def test_details_are_shown_when_asked_for() -> None:
    assert "· one" not in printed(details=False)
    assert printed(details=True).count("· one") == 3


def test_no_colour_goes_to_what_is_no_terminal() -> None:
    assert "\x1b" not in printed(details=True)
