"""The SARIF report says what the schema cannot ask for."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from report.examination import Examination, Verdict
from report.exit_codes import ExitCode
from report.formats import sarif
from report.model import Finding, Place, Resource, Status
from tests.unit.report.formats import samples

ROOT = Path(__file__).parents[4]


def run_of(examination: Examination) -> dict[str, Any]:
    """The one run of a report on one stack."""
    (found,) = json.loads(sarif.render([examination]))["runs"]
    return dict(found)


def results_of(examination: Examination, rule: str) -> list[dict[str, Any]]:
    """The results of one rule."""
    return [found for found in run_of(examination)["results"] if found["ruleId"] == rule]


@pytest.mark.parametrize(
    "made", [samples.rich, samples.failed, samples.invalid, samples.drift, samples.hostile, samples.huge]
)
def test_every_result_has_its_rule_and_a_line_of_a_file(made: Any) -> None:
    run = run_of(made())
    rules = run["tool"]["driver"]["rules"]
    assert run["results"]
    for found in run["results"]:
        assert rules[found["ruleIndex"]]["id"] == found["ruleId"]
        (location,) = found["locations"]
        physical = location["physicalLocation"]
        uri = physical["artifactLocation"]["uri"]
        assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri)
        assert not urlsplit(uri).scheme and not uri.startswith("/")
        assert physical["region"]["startLine"] >= 1
        assert (found["kind"] == "fail") == (found["level"] != "none")
        assert found["message"]["text"]


def test_files_without_a_line_are_those_of_the_stack() -> None:
    (found,) = results_of(samples.rich(), "schema/valid")
    physical = found["locations"][0]["physicalLocation"]
    assert (ROOT / physical["artifactLocation"]["uri"]).is_file()
    assert physical["region"] == {"startLine": 1}


def test_odd_names_of_files_are_encoded() -> None:
    place = Place("a dir/ü#1?%.yaml", 0)
    examination = replace(samples.invalid(), findings=(Finding("a/b", Status.FAIL, "m", place=place),))
    (found,) = run_of(examination)["results"]
    physical = found["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "a%20dir/%C3%BC%231%3F%25.yaml"
    assert unquote(physical["artifactLocation"]["uri"]) == place.file
    assert physical["region"] == {"startLine": 1}


def test_severity_is_the_level() -> None:
    rich = samples.rich()
    assert results_of(rich, "policy/replicas")[0]["level"] == "error"
    assert results_of(rich, "policy/image-pinned")[0]["level"] == "warning"
    assert results_of(rich, "pack:acme/labels")[0]["level"] == "note"


def test_what_is_waived_is_suppressed_and_says_why() -> None:
    (found,) = results_of(samples.rich(), "policy/no-privileged")
    (suppression,) = found["suppressions"]
    assert suppression["kind"] == "external" and suppression["status"] == "accepted"
    assert suppression["justification"] == "BIRD sets routes of its host (network team, until 2026-12-31)"
    assert suppression["location"]["physicalLocation"]["artifactLocation"]["uri"] == "policies/waivers.yaml"
    others = [
        found for found in run_of(samples.rich())["results"] if found["ruleId"] != "policy/no-privileged"
    ]
    assert all(found["suppressions"] == [] for found in others)


def test_what_is_not_measurable_is_an_open_question() -> None:
    for rule in ("schema/valid", "layer/measurable"):
        (found,) = results_of(samples.rich(), rule)
        assert (found["kind"], found["level"]) == ("open", "none")


def test_what_passes_is_no_result_but_its_rule_is_there() -> None:
    run = run_of(samples.rich())
    assert not [found for found in run["results"] if found["ruleId"] == "declaration/valid"]
    assert "declaration/valid" in {rule["id"] for rule in run["tool"]["driver"]["rules"]}


def test_destructive_changes_that_nobody_approved_are_results() -> None:
    (found,) = results_of(samples.rich(), "change/needs-approval")
    assert "eu-kafka" in found["message"]["text"] and "its pods go" in found["message"]["text"]
    assert found["level"] == "error"
    assert found["locations"][0]["physicalLocation"]["region"] == {"startLine": 118}


def test_a_change_that_wants_approval_says_where_it_belongs() -> None:
    rich, key = samples.rich(), ("applications", "kafka")

    def placed(resource: Resource | None) -> Resource | None:
        return resource and replace(resource, region="eu", declared=key)

    changed = [replace(each, old=placed(each.old), new=placed(each.new)) for each in rich.changes.changes]
    rich = replace(rich, changes=replace(rich.changes, changes=tuple(changed)))
    (found,) = results_of(rich, "change/needs-approval")
    assert found["properties"] == {"region": "eu", "declared": "applications.kafka"}


def test_drift_is_nobodys_to_approve() -> None:
    run = run_of(samples.drift())
    assert {found["ruleId"] for found in run["results"]} == {"change/unexpected"}
    assert len(run["results"]) == 2


def test_drift_that_a_finding_tells_of_is_told_once() -> None:
    drift = samples.drift()
    gone = drift.changes.changes[0]
    told = Finding("drift/objects", Status.FAIL, "it is gone", urn=gone.urn)
    results = run_of(replace(drift, findings=(told,)))["results"]
    assert sorted(found["ruleId"] for found in results) == ["change/unexpected", "drift/objects"]


def test_fingerprints_stay_when_lines_move_and_differ_between_results() -> None:
    huge, rich = samples.huge(), samples.rich()
    moved = replace(
        rich,
        findings=tuple(
            replace(found, place=found.place and replace(found.place, line=found.place.line + 7))
            for found in rich.findings
        ),
    )

    def fingerprints(examination: Examination) -> list[str]:
        found = [result["partialFingerprints"] for result in run_of(examination)["results"]]
        return [entry["crossmeshFinding/v1"] for entry in found]

    assert fingerprints(rich) == fingerprints(moved)
    assert len(set(fingerprints(huge))) == len(fingerprints(huge))
    twice = replace(rich, findings=(rich.findings[1], rich.findings[1]))
    assert len(set(fingerprints(twice))) == len(fingerprints(twice))


def test_messages_are_text_and_nothing_else() -> None:
    for found in run_of(samples.hostile())["results"]:
        text = found["message"]["text"]
        assert "](" not in text
        assert "{" not in text.replace("{{", "") and "}" not in text.replace("}}", "")
        assert "\x1b" not in text


def test_each_stack_is_a_category_of_its_own() -> None:
    runs = json.loads(sarif.render([samples.rich(), samples.empty()]))["runs"]
    assert [run["automationDetails"]["id"] for run in runs] == [
        "crossmesh-gate/lab/",
        "crossmesh-gate/staging/",
    ]


def test_a_refusal_is_no_failure_of_the_tool() -> None:
    (refused,) = run_of(samples.rich())["invocations"]
    assert refused["executionSuccessful"] is True and refused["exitCode"] == 5
    (broken,) = run_of(samples.failed())["invocations"]
    assert broken["executionSuccessful"] is False
    locked = replace(samples.empty(), verdict=Verdict(ExitCode.LOCKED, "stack lab is being changed"))
    assert run_of(locked)["invocations"][0]["executionSuccessful"] is False
