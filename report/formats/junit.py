"""The JUnit report: a suite for each stack and family of rules, a case for each rule and resource.

Case by case it says what the verdict says: there is a failure if, and only if, the exit code is not 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree as ET

from report.examination import Examination
from report.exit_codes import ExitCode
from report.formats.facts import code_id, particulars, waiver_words
from report.formats.results import place_of, results
from report.formats.text import block, one_line
from report.model import Finding, Rule, Status
from report.urns import short_name

_PASSED, _SKIPPED, _FAILED = "passed", "skipped", "failed"


@dataclass(frozen=True)
class _Case:
    name: str
    classname: str
    outcome: str
    headline: str = ""
    text: str = ""


def render(examinations: Sequence[Examination]) -> str:
    """The report of several stacks. It has no times: the same input gives the same bytes."""
    root = ET.Element("testsuites", {"name": _attribute("crossmesh " + " ".join(_verbs(examinations)))})
    for examination in examinations:
        for name, cases in _suites(examination):
            _add(root, name, cases)
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _verbs(examinations: Sequence[Examination]) -> list[str]:
    return sorted({examination.verb for examination in examinations})


def _suites(examination: Examination) -> list[tuple[str, list[_Case]]]:
    rules, findings = results(examination)
    by_rule: dict[str, dict[str, list[Finding]]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule, {}).setdefault(finding.urn, []).append(finding)
    suites = []
    for family, members in groupby(rules, key=lambda rule: rule.family):
        cases = [
            case
            for rule in members
            for case in _cases(examination, family, rule, by_rule.get(rule.id, {"": []}))
        ]
        suites.append((f"{examination.stack}: {family}", cases))
    failed = any(case.outcome == _FAILED for _, cases in suites for case in cases)
    suites.append((f"{examination.stack}: verdict", [_verdict(examination, failed)]))
    return suites


def _cases(
    examination: Examination, family: str, rule: Rule, findings: dict[str, list[Finding]]
) -> list[_Case]:
    short = rule.id.partition("/")[2] or rule.id
    names = {urn: f"{short}: {short_name(urn)}" if urn else short for urn in findings}
    times = Counter(names.values())
    classname = f"{examination.verb}.{examination.stack}.{family}".replace("/", ".")
    return [
        _case(
            examination, rule, f"{short}: {urn}" if times[names[urn]] > 1 else names[urn], classname, entries
        )
        for urn, entries in sorted(findings.items())
    ]


def _case(examination: Examination, rule: Rule, name: str, classname: str, findings: list[Finding]) -> _Case:
    failing = [finding for finding in findings if finding.stops]
    softer = [finding for finding in findings if finding.status is Status.FAIL and not finding.stops]
    skipped = [finding for finding in findings if finding.status in (Status.WAIVED, Status.NOT_MEASURABLE)]
    told = failing + softer + skipped
    text = "\n\n".join(_told(examination, rule, entry) for entry in told)
    outcome = _FAILED if failing else _SKIPPED if skipped and not softer else _PASSED
    headline = _reason(told[0]) if told else ""
    return _Case(name, classname, outcome, headline, text)


def _reason(finding: Finding) -> str:
    if finding.status is Status.WAIVED:
        return f"waived by {waiver_words(finding.waiver)}"
    if finding.status is Status.NOT_MEASURABLE:
        return f"not measurable: {finding.message}"
    return finding.message


def _told(examination: Examination, rule: Rule, finding: Finding) -> str:
    lines = [f"{finding.severity}: {finding.message}" if finding.status is Status.FAIL else _reason(finding)]
    if finding.status is Status.WAIVED:
        lines.append(finding.message)
    lines.append(f"at {place_of(examination, finding)}")
    if finding.urn:
        lines.append(f"resource: {finding.urn}")
    lines += [
        f"{title}: {words}"
        for title, words in (*particulars(finding), ("fix", finding.fix), ("rule", rule.title))
        if words
    ]
    return "\n".join(lines)


def _verdict(examination: Examination, told: bool) -> _Case:
    """The verdict itself, a failure where no rule's case tells of it."""
    code, words = examination.verdict.code, examination.verdict.words
    failed = code is not ExitCode.CLEAN and not told
    classname = f"{examination.verb}.{examination.stack}.verdict"
    text = f"{code_id(code)} (exit code {int(code)}): {words}"
    return _Case("verdict", classname, _FAILED if failed else _PASSED, words, text)


def _add(root: ET.Element, name: str, cases: Sequence[_Case]) -> None:
    outcomes = [case.outcome for case in cases]
    counts = {
        "tests": len(cases),
        "failures": outcomes.count(_FAILED),
        "errors": 0,
        "skipped": outcomes.count(_SKIPPED),
    }
    attributes = {"name": _attribute(name)} | {key: str(number) for key, number in counts.items()}
    suite = ET.SubElement(root, "testsuite", attributes)
    for case in cases:
        element = ET.SubElement(
            suite, "testcase", {"name": _attribute(case.name), "classname": _attribute(case.classname)}
        )
        if case.outcome == _PASSED:
            if case.text:
                ET.SubElement(element, "system-out").text = block(case.text)
            continue
        tag = "failure" if case.outcome == _FAILED else "skipped"
        ET.SubElement(element, tag, {"message": _attribute(case.headline)}).text = block(case.text)


def _attribute(text: str) -> str:
    return one_line(text, 500)
