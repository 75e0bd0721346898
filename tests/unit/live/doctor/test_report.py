from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from xml.etree import ElementTree

import jsonschema
import pytest
from rich.console import Console

import live.doctor.report as report
from gate.effects.sources import open_sources
from live.doctor.keys import Key
from live.doctor.model import Check, CheckResult, Evidence, Finding
from report.examination import Examination, Producer
from report.exit_codes import ExitCode
from report.formats import document, junit, markdown, sarif, terminal
from report.model import Severity, Status
from stacks.load import PROJECT, stack_path

SCHEMA = json.loads(document.FILE.read_text())
Render = Callable[[Sequence[Examination]], str]
VERSIONS = Producer("1.0.0", "3.0.0", "", False)
SOURCES = open_sources(stack_path("lab"), PROJECT)


def result(
    id_: str, status: Status, explanation: str = "", fix: str = "", rests_on: tuple[str, ...] = ()
) -> CheckResult:
    below = tuple(map(Key, rests_on))
    check = Check(
        Key(id_), "names", f"title of {id_}", lambda watch: finding, rests_on=below, declared=("mesh",)
    )
    finding = Finding(
        check.rule.id,
        status,
        explanation,
        fix=fix,
        measured="something",
        expected="something else",
        details=("one", "two"),
    )
    return CheckResult(check, check.placed(finding))


RESULTS = [
    result("good", Status.PASS),
    result("bad", Status.FAIL, "the pod is gone", "bring it back"),
    result("dark", Status.NOT_MEASURABLE, "it rests on bad", "mend bad"),
]


def test_the_json_is_what_the_schema_says() -> None:
    printed = json.loads(document.render([report.examination("lab", RESULTS, VERSIONS, SOURCES)]))
    jsonschema.validate(printed, SCHEMA, format_checker=jsonschema.FormatChecker())
    (stack,) = printed["stacks"]
    assert [finding["status"] for finding in stack["findings"]] == ["pass", "fail", "not-measurable"]
    assert stack["exitCode"] == ExitCode.UNHEALTHY
    assert stack["findings"][1]["fix"] == "bring it back"


def test_only_checks_that_all_passed_are_healthy() -> None:
    def ended(*results: CheckResult) -> ExitCode:
        return report.examination("lab", results, VERSIONS, SOURCES).verdict.code

    good, bad, dark = RESULTS
    assert ended(good) is ExitCode.CLEAN
    assert ended(good, dark) is ExitCode.NOT_MEASURABLE
    assert ended(good, bad, dark) is ExitCode.UNHEALTHY


def test_a_warning_is_told_and_makes_nothing_unhealthy() -> None:
    evidence = Evidence("valid for a month more")
    evidence.warning("it ends in 3 days", "renew it")
    soon, good = evidence.finding("3 days"), RESULTS[0]
    assert (soon.status, soon.severity, soon.stops) == (Status.FAIL, Severity.WARNING, False)
    warned = CheckResult(good.check, good.check.placed(soon))
    verdict = report.examination("lab", [good, warned], VERSIONS, SOURCES).verdict
    assert verdict.code is ExitCode.CLEAN
    assert verdict.words == "1 check passed, 1 check with a warning."
    told = io.StringIO()
    report.print_causes(Console(file=told, width=100), "lab", [good, warned])
    assert told.getvalue() == ""
    report.print_table(Console(file=told, width=100), [good, warned], 1.0)
    assert "! warning" in told.getvalue()
    assert "renew it" in told.getvalue()
    evidence.problem("another has ended")
    ended = evidence.finding("-1 days")
    assert (ended.severity, ended.message) == (Severity.ERROR, "another has ended; it ends in 3 days")


@pytest.mark.parametrize("render", [terminal.render, markdown.render, sarif.render, junit.render])
def test_every_format_of_reports_says_what_failed_why_and_how_to_mend_it(render: Render) -> None:
    text = render([report.examination("lab", RESULTS, VERSIONS, SOURCES)])
    for words in ("bad", "the pod is gone", "bring it back"):
        assert words in text


def test_the_comment_counts_checks_by_how_they_ended_and_not_changes() -> None:
    text = markdown.render([report.examination("lab", RESULTS, VERSIONS, SOURCES)])
    assert "| stack | verdict | pass | fail | not-measurable | why |" in text
    assert "| **lab** | **unhealthy** (14) | 1 | 1 | 1 |" in text
    assert "measured: something" in text and "expected: something else" in text


def test_each_check_is_a_test_case_that_passed_failed_or_was_skipped() -> None:
    suite = ElementTree.fromstring(junit.render([report.examination("lab", RESULTS, VERSIONS, SOURCES)]))[0]
    outcomes = {case.get("name"): [child.tag for child in case] for case in suite}
    assert outcomes == {"bad": ["failure"], "dark": ["skipped"], "good": []}


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


FOLDED = [
    result("good", Status.PASS, rests_on=("bad",)),
    result("bad", Status.FAIL, "the pod is gone", "bring it back"),
    result("above", Status.FAIL, "nobody answers", "ask again", rests_on=("bad",)),
    result("dark", Status.NOT_MEASURABLE, "it rests on above", rests_on=("above",)),
]


def test_the_json_says_what_each_finding_follows_from_and_leads_with_causes() -> None:
    text = document.render([report.examination("lab", FOLDED, VERSIONS, SOURCES)])
    (stack,) = json.loads(text)["stacks"]
    jsonschema.validate(json.loads(text), SCHEMA, format_checker=jsonschema.FormatChecker())
    assert {finding["rule"]: finding["followsFrom"] for finding in stack["findings"]} == {
        "doctor/good": [],
        "doctor/bad": [],
        "doctor/above": ["doctor/bad"],
        "doctor/dark": ["doctor/bad"],
    }
    (cause,) = stack["causes"]
    assert cause["rule"] == "doctor/bad"
    assert cause["status"] == "fail"
    assert (cause["message"], cause["fix"], cause["runbook"]) == ("the pod is gone", "bring it back", "")
    assert cause["follows"] == ["doctor/above", "doctor/dark"]
    assert (cause["holds"], cause["unknown"]) == (["doctor/good"], [])
    assert text.index('"causes"') < text.index('"findings"')
    words = "bad: the pod is gone. 2 checks failed. 1 thing could not be measured."
    assert stack["verdict"]["words"] == words


@pytest.mark.parametrize("render", [terminal.render, markdown.render])
def test_people_read_the_cause_before_what_follows_from_it(render: Render) -> None:
    text = render([report.examination("lab", FOLDED, VERSIONS, SOURCES)])
    assert text.index("the pod is gone") < text.index("nobody answers")
    assert "follows from: doctor/bad" in text.replace("`", "")


def test_every_case_says_what_it_follows_from() -> None:
    assert "follows from: doctor/bad" in junit.render([report.examination("lab", FOLDED, VERSIONS, SOURCES)])


def leading(every: bool = False) -> list[str]:
    stream = io.StringIO()
    report.print_causes(Console(file=stream, width=100, highlight=False), "lab", FOLDED, every=every)
    return stream.getvalue().splitlines()


def test_what_broke_comes_first_with_what_follows_folded_under_it() -> None:
    assert leading() == [
        "cause: bad: the pod is gone",
        "  fix       bring it back",
        "  2 checks follow from it: above, dark (--all tells of each)",
        "  1 check rests on it and is ok: good",
        "",
    ]
    assert "--all" not in "".join(leading(every=True))


def test_a_long_first_line_is_not_wrapped_where_nobody_looks_at_a_terminal() -> None:
    stream = io.StringIO()
    words = "the pod says that " * 20
    report.print_causes(Console(file=stream, width=60), "lab", [result("bad", Status.FAIL, words)])
    first = stream.getvalue().splitlines()[0]
    assert first.startswith("cause: bad: the pod says") and len(first) > 300


def test_no_colour_goes_to_what_is_no_terminal() -> None:
    assert "\x1b" not in printed(details=True)


def test_scanners_of_code_show_a_finding_at_the_line_that_declares_what_it_is_about() -> None:
    found = json.loads(sarif.render([report.examination("lab", RESULTS, VERSIONS, SOURCES)]))
    lines = stack_path("lab").read_text().splitlines()
    for result in found["runs"][0]["results"]:
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "stacks/Pulumi.lab.yaml"
        assert lines[location["physicalLocation"]["region"]["startLine"] - 1].strip() == "mesh:"
