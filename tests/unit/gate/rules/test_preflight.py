"""What stands against hosts that change is found by the gate too, in the words of the preview that looked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from gate.effects import sources
from gate.effects.engine import assess
from gate.rules import examine
from playbooks.preflight import told
from playbooks.preflight.checks import RULES
from report.examination import Examination, Producer
from report.exit_codes import ExitCode
from report.formats import document, junit, markdown, sarif, terminal
from report.model import ChangeSet, Finding, Notice, Rule, Severity, Status
from report.urns import short_name
from report.verdict import verdict
from stacks.load import PROJECT
from tests.unit.gate.rules.support import TODAY, changes, component, creation, host_phase, stack
from tests.unit.playbooks.preflight.test_checks import found

CLUSTER = component("crossmesh:components:BareMetalCluster", "eu", region="eu")
NODE = host_phase(CLUSTER, "eu-worker-1", "prepare")
RENDERERS = {
    each.__name__.rpartition(".")[2]: each.render for each in (document, junit, markdown, sarif, terminal)
}
DOCKER: tuple[str, Any] = ("services", ["docker"])
SWAP: tuple[str, Any] = ("machine.swap", ["/swap.img"])


def preview(*facts: tuple[str, Any], accept: tuple[str, ...] = ()) -> ChangeSet:
    """A new node, as the preview of its provider tells of it."""
    findings = [
        replace(each, message=each.message.replace("host-1", "eu-worker-1"))
        for each in found(*facts, accept=accept)
    ]
    message = told.words("eu-worker-1", "prepare", findings)
    return replace(changes(creation(NODE)), notices=(Notice("warning", message, NODE.urn),))


def everything(
    seen: ChangeSet, waivers: Path = PROJECT / "policies" / "none.yaml"
) -> tuple[tuple[Rule, ...], tuple[Finding, ...]]:
    return examine(changes=seen, stack=stack(), before=None, events=(), today=TODAY, waivers=waivers)


def examined(seen: ChangeSet) -> tuple[list[str], list[Finding]]:
    """The rules of hosts that were applied, and what they have against the change."""
    rules, findings = everything(seen)
    own = [finding for finding in findings if finding.rule.startswith("preflight/")]
    assert {finding.rule for finding in own} == {rule.id for rule in rules if rule.family == "preflight"}
    return [rule.id for rule in rules if rule.family == "preflight"], [
        finding for finding in own if finding.status is not Status.PASS
    ]


def test_what_would_keep_up_from_changing_a_host_is_a_finding_with_what_to_do() -> None:
    rules, findings = examined(preview(DOCKER))
    assert set(rules) == {rule.id for rule in RULES.values()}
    (finding,) = findings
    assert (finding.rule, finding.urn, finding.stops) == ("preflight/runtime", NODE.urn, True)
    assert finding.message.startswith("eu-worker-1: docker runs here for something else")
    assert finding.fix.startswith("move what runs in it to another machine, and remove it; or")


def test_what_is_accepted_is_a_warning_that_says_so() -> None:
    _, (finding,) = examined(preview(SWAP, accept=("swap",)))
    assert finding.severity is Severity.WARNING
    assert finding.message.endswith("; accepted by the declaration")


def test_a_host_that_was_looked_at_and_is_fine_passes_every_check() -> None:
    rules, findings = examined(preview())
    assert (len(rules), findings) == (len(RULES), [])


def test_of_hosts_that_nobody_looked_at_no_rule_says_that_it_passed() -> None:
    words = "eu-worker-1 prepare: not measurable: hosts are left alone (--hermetic)"
    seen = replace(changes(creation(NODE)), notices=(Notice("warning", words, NODE.urn),))
    assert examined(seen) == ([], [])


def test_what_a_host_refuses_is_waived_by_nobody_but_its_declaration(
    tmp_path: Path,
) -> None:
    file = tmp_path / "policies" / "waivers.yaml"
    file.parent.mkdir()
    file.write_text(
        "- {rule: preflight/runtime, resource: '*', owner: node-team,\n"
        "   reason: the machine is shared with others, expires: 2027-05-31}\n"
    )
    _, findings = everything(preview(DOCKER), file)
    refused = {finding.rule for finding in findings if finding.stops}
    assert refused == {"preflight/runtime", "waiver/valid"}


def test_every_report_tells_of_a_host_what_stands_against_it_and_what_to_do() -> None:
    seen = preview(DOCKER, SWAP, accept=("swap",))
    rules, findings = everything(seen)
    placed = sources.place(findings, seen, sources.open_sources(stack().path, PROJECT))
    seen = assess(seen)
    answer = Examination(
        stack="lab",
        verb="gate",
        verdict=verdict(seen, (), placed, False, False),
        changes=seen,
        layers=(),
        rules=rules,
        findings=placed,
        producer=Producer("1.0.0", "3.0.0", "", False),
    )
    assert answer.verdict.code is ExitCode.POLICY
    assert "preflight/runtime" in answer.verdict.words
    texts = {name: render([answer]) for name, render in RENDERERS.items()}
    for name, text in texts.items():
        for words in (
            "docker runs here for something else",
            "remove it; or use it as it is",
            "accepted by the",
        ):
            assert words in " ".join(text.split()), (name, words)
    (refused,) = [
        result
        for result in json.loads(texts["sarif"])["runs"][0]["results"]
        if result["ruleId"] == "preflight/runtime"
    ]
    line = refused["locations"][0]["physicalLocation"]["region"]["startLine"]
    assert stack().path.read_text().splitlines()[line - 1].strip().startswith("eu-worker-1:")
    cases = {case.get("name"): case for case in ET.fromstring(texts["junit"]).iter("testcase")}
    assert cases[f"runtime: {short_name(NODE.urn)}"].find("failure") is not None
    assert cases[f"swap: {short_name(NODE.urn)}"].find("failure") is None
