"""What a rehearsal says: one finding for each thing that must hold, and what the twin was not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gate.timeline import Phase
from rehearsal.clients import Tally
from rehearsal.drive import Course, Order, Step
from rehearsal.report import REQUESTS, RULES, examination
from rehearsal.site import Applied
from report.examination import Examination, Producer
from report.exit_codes import ExitCode
from report.formats import document, junit, markdown, sarif, terminal
from report.model import Status

PRODUCER = Producer("1.0.0", "3.1.0", "0" * 40, False)
WELL: dict[str, Any] = {"exitCode": 0, "findings": [{"rule": "doctor/nodes", "status": "pass"}], "causes": []}
ILL: dict[str, Any] = {
    "exitCode": 14,
    "verdict": {"words": "nodes: eu-worker-1 is not ready. 2 checks failed."},
    "findings": [{"rule": "doctor/nodes", "status": "fail"}],
    "causes": [{"rule": "doctor/nodes", "message": "eu-worker-1 is not ready", "fix": "look at it"}],
}
REFUSED: dict[str, Any] = {
    "exitCode": 5,
    "verdict": {"words": "1 finding against the change: policy/probes."},
    "findings": [
        {
            "rule": "policy/probes",
            "status": "fail",
            "severity": "error",
            "message": "no probe",
            "fix": "add one",
        },
        {"rule": "policy/other", "status": "pass", "severity": "error", "message": "", "fix": ""},
    ],
}
URL = "https://shop.example.test/cart"
COURSE = Course(
    order=Order("production", "up", base="main"),
    bring_up_seconds=200.0,
    gate={"exitCode": 0, "findings": []},
    before=(Tally(URL, 50, 0, 0.0, ()),),
    during=(Tally(URL, 400, 0, 0.0, ()),),
    doctor_before=WELL,
    doctor_after=WELL,
    steps=(Step("hosts: prepare (4)", 61.24),),
    seconds=80.0,
    failure="",
    repeated=Applied(True, "", (), 0),
    differences=("region eu: 2 of 3 workers; not there are eu-worker-3",),
    kept="",
)


def told(allowed: int = 0, **changed: Any) -> Examination:
    return examination("production", replace(COURSE, **changed), allowed, PRODUCER)


def failed(found: Examination) -> set[str]:
    return {finding.rule for finding in found.findings if finding.status is Status.FAIL}


def test_a_good_course_is_told_with_its_figures() -> None:
    found = told()
    assert found.verdict.code is ExitCode.CLEAN
    assert found.verdict.words == "It went well on the twin: 0 of 400 requests failed in 80 s."
    assert failed(found) == set()
    assert {finding.rule for finding in found.findings} == {rule.id for rule in RULES}
    steps, clients, _, twin = found.layers
    assert [(row.key, row.after) for row in steps.rows if row.after] == [
        ("hosts: prepare (4)", "61.2 s"),
        ("the whole change (up)", "80.0 s"),
    ]
    assert clients.rows[0].before == "50 requests, each answered"
    assert twin.not_measurable[0] == COURSE.differences[0]


@pytest.mark.parametrize(
    ("changed", "rules"),
    [
        ({"failure": "the engine broke off", "repeated": None}, {"rehearsal/change"}),
        ({"during": (Tally(URL, 400, 3, 1.2, ("refused",)),)}, {"rehearsal/requests"}),
        ({"during": ()}, {"rehearsal/requests"}),
        ({"doctor_after": ILL}, {"rehearsal/doctor"}),
        ({"repeated": Applied(True, "", (Phase("clusters", 0, 1, 2, 1),), 2)}, {"rehearsal/repeat"}),
        ({"repeated": Applied(False, "it broke", (), 0)}, {"rehearsal/repeat"}),
        ({"gate": REFUSED, "steps": (), "repeated": None}, {"rehearsal/gate"}),
    ],
)
def test_each_thing_that_must_hold_fails_by_its_own_rule(changed: dict[str, Any], rules: set[str]) -> None:
    found = told(**changed)
    assert failed(found) == rules
    assert found.verdict.code is ExitCode.POLICY


def test_so_many_failed_requests_may_be_accepted() -> None:
    assert told(3, during=(Tally(URL, 400, 3, 1.2, ("refused",)),)).verdict.code is ExitCode.CLEAN
    assert told(2, during=(Tally(URL, 400, 3, 1.2, ("refused",)),)).verdict.code is ExitCode.POLICY


def test_a_twin_that_was_not_well_before_is_a_warning_and_no_fault_of_the_change() -> None:
    found = told(doctor_before=ILL)
    assert failed(found) == {"rehearsal/twin"}
    assert found.verdict.code is ExitCode.CLEAN


def test_what_the_gate_says_against_it_is_there_with_its_fix() -> None:
    (finding,) = [one for one in told(gate=REFUSED, repeated=None).findings if one.rule == "rehearsal/gate"]
    assert finding.message == "it was not made: 1 finding against the change: policy/probes."
    assert (finding.fix, finding.details) == ("add one", ("policy/probes: no probe",))


def test_every_format_has_it() -> None:
    found = told(during=(Tally(URL, 400, 3, 1.2, ("refused",)),))
    text = terminal.render([found])
    assert "crossmesh rehearse: stack production, made on a twin in the lab" in text
    assert "3 of 400 requests failed, 1.2 s at most in a row: refused" in text
    assert "region eu: 2 of 3 workers" in text
    assert "<!-- crossmesh-rehearse -->" in markdown.render([found])
    (stack,) = json.loads(document.render([found]))["stacks"]
    assert (stack["verb"], stack["against"]) == ("rehearse", "twin")
    assert "rehearsal/requests" in sarif.render([found])
    assert REQUESTS.title in junit.render([found])
