"""The JUnit report: a suite for each stack and family of rules, a case for each rule and resource.

Case by case it says what the verdict says: there is a failure if, and only if, the exit code is not 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from report.examination import Examination
from report.exit_codes import ExitCode
from report.formats.facts import particulars, waiver_words
from report.formats.results import place_of, results
from report.formats.text import block, one_line
from report.model import Finding, Rule, Status
from report.urns import short_name


def render(examinations: Sequence[Examination]) -> str:
    """The report of several stacks. It has no times: the same input gives the same bytes."""
    verbs = sorted({examination.verb for examination in examinations})
    root = ET.Element("testsuites", {"name": _attribute("crossmesh " + " ".join(verbs))})
    for examination in examinations:
        _add_suites(root, examination)
    for suite in root:
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
        suite.set("errors", "0")
        suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_suites(root: ET.Element, examination: Examination) -> None:
    rules, findings = results(examination)
    by_rule: dict[str, dict[str, list[Finding]]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule, {}).setdefault(finding.urn, []).append(finding)
    failed = False
    for family, members in groupby(rules, key=lambda rule: rule.family):
        suite = _suite(root, f"{examination.stack}: {family}")
        for rule in members:
            _add_cases(suite, examination, rule, by_rule.get(rule.id, {"": []}))
        failed = failed or suite.find("testcase/failure") is not None
    # The verdict itself is a failure where no rule's case tells of it.
    code, words = examination.verdict.code, examination.verdict.words
    outcome = "" if code is ExitCode.CLEAN or failed else "failure"
    text = f"{code.id} (exit code {int(code)}): {words}"
    suite = _suite(root, f"{examination.stack}: verdict")
    _add_case(suite, "verdict", f"{examination.verb}.{examination.stack}.verdict", outcome, words, text)


def _add_cases(
    suite: ET.Element, examination: Examination, rule: Rule, findings: dict[str, list[Finding]]
) -> None:
    short = rule.id.partition("/")[2] or rule.id
    names = {urn: f"{short}: {short_name(urn)}" if urn else short for urn in findings}
    times = Counter(names.values())
    classname = f"{examination.verb}.{examination.stack}.{rule.family}".replace("/", ".")
    for urn, entries in sorted(findings.items()):
        failing = [finding for finding in entries if finding.stops]
        softer = [finding for finding in entries if finding.status is Status.FAIL and not finding.stops]
        skipped = [finding for finding in entries if finding.status in (Status.WAIVED, Status.NOT_MEASURABLE)]
        told = failing + softer + skipped
        _add_case(
            suite,
            f"{short}: {urn}" if times[names[urn]] > 1 else names[urn],
            classname,
            "failure" if failing else "skipped" if skipped and not softer else "",
            _reason(told[0]) if told else "",
            "\n\n".join(_told(examination, rule, entry) for entry in told),
        )


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


def _suite(root: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(root, "testsuite", {"name": _attribute(name)})


def _add_case(suite: ET.Element, name: str, classname: str, outcome: str, headline: str, text: str) -> None:
    """A case, with what is said of it. `outcome`: `failure` or `skipped`; empty where it passed."""
    case = ET.SubElement(suite, "testcase", {"name": _attribute(name), "classname": _attribute(classname)})
    if outcome:
        ET.SubElement(case, outcome, {"message": _attribute(headline)}).text = block(text)
    elif text:
        ET.SubElement(case, "system-out").text = block(text)


def _attribute(text: str) -> str:
    return one_line(text, 500)
