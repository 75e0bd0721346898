"""The SARIF report (2.1.0), for code scanning: what stands against a change, at the line that asks for it.

Rules that are satisfied are no results: the standard has `kind: pass` for them, but GitHub's code scanning
does not look at `kind` and would raise an alarm for each. That a rule was applied is told by its being among
the rules.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from report.examination import Examination
from report.exit_codes import ExitCode
from report.formats.results import place_of, results
from report.formats.text import block
from report.model import Finding, Place, Rule, Status, Waiver

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_ROOT = "%SRCROOT%"
_NOT_HELD = frozenset(
    {
        ExitCode.TOOL_ERROR,
        ExitCode.AUTHENTICATION,
        ExitCode.PREVIEW_FAILED,
        ExitCode.STACK_NOT_FOUND,
        ExitCode.CANCELLED,
        ExitCode.TIMEOUT,
        ExitCode.LOCKED,
    }
)
"""Verdicts that say nothing of the change: it could not be examined."""
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def render(examinations: Sequence[Examination]) -> str:
    """The report, a run for each stack. Runs differ in `automationDetails.id`: code scanning takes several
    runs of one tool only if they are of different categories.
    """
    runs = [_run(examination) for examination in examinations]
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": runs}
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _run(examination: Examination) -> dict[str, Any]:
    rules, findings = results(examination)
    index = {rule.id: number for number, rule in enumerate(rules)}
    seen: Counter[str] = Counter()
    code = examination.verdict.code
    return {
        "tool": {
            "driver": {
                "name": "crossmesh",
                "version": examination.producer.crossmesh,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": f"crossmesh-{examination.verb}/{examination.stack}/"},
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the repository."}}},
        "invocations": [
            {
                "executionSuccessful": code not in _NOT_HELD,
                "exitCode": int(code),
                "exitCodeDescription": block(examination.verdict.words),
                "toolExecutionNotifications": [
                    {
                        "level": _LEVELS.get(notice.severity, "note"),
                        "message": {"text": _message(notice.message)},
                        **({"locations": [_logical(notice.urn)]} if notice.urn else {}),
                    }
                    for notice in examination.changes.notices
                ],
            }
        ],
        "results": [
            _result(examination, finding, index, seen)
            for finding in findings
            if finding.status is not Status.PASS
        ],
        "properties": {
            "stack": examination.stack,
            "verdict": code.id,
            "against": examination.changes.against.value,
            "commit": examination.producer.commit,
            "base": examination.producer.base,
        },
    }


def _rule(rule: Rule) -> dict[str, Any]:
    title = block(rule.title) or rule.id
    return {
        "id": rule.id,
        "shortDescription": {"text": title},
        "fullDescription": {"text": title},
        "help": {"text": block(rule.help) or title},
        "defaultConfiguration": {"level": rule.severity.value},
        "properties": {"tags": [rule.family]},
    }


def _result(
    examination: Examination, finding: Finding, index: Mapping[str, int], seen: Counter[str]
) -> dict[str, Any]:
    open_question = finding.status is Status.NOT_MEASURABLE
    location = {"physicalLocation": _physical(place_of(examination, finding))}
    location |= _logical(finding.urn) if finding.urn else {}
    words = f"{finding.message}\n{finding.fix}" if finding.fix else finding.message
    return {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        # The standard has no severity for what is undecided: level must be `none` where kind is not `fail`.
        "kind": "open" if open_question else "fail",
        "level": "none" if open_question else finding.severity.value,
        "message": {"text": _message(words) or finding.rule},
        "locations": [location],
        "properties": {"region": finding.region, "declared": ".".join(finding.declared)},
        "partialFingerprints": {"crossmeshFinding/v1": _fingerprint(examination, finding, seen)},
        # An empty list says that nothing suppresses it, none that nobody looked. A run does one or the other.
        "suppressions": [_suppression(finding.waiver)] if finding.status is Status.WAIVED else [],
    }


def _suppression(waiver: Waiver | None) -> dict[str, Any]:
    suppression: dict[str, Any] = {"kind": "external", "status": "accepted"}
    if waiver is not None:
        words = f"{waiver.reason} ({waiver.owner}, until {waiver.expires.isoformat()})"
        suppression["justification"] = block(words)
        suppression["location"] = {"physicalLocation": _physical(waiver.place)}
    return suppression


def _fingerprint(examination: Examination, finding: Finding, seen: Counter[str]) -> str:
    """The same for the same problem in the next run, wherever its line has moved to."""
    # What was measured is another value each time.
    told = "" if finding.measured else finding.message
    subject = finding.urn or f"{place_of(examination, finding).file}\n{told}"
    key = "\n".join([examination.stack, finding.rule, subject])
    seen[key] += 1
    return hashlib.sha256(f"{key}\n{seen[key]}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _physical(place: Place) -> dict[str, Any]:
    uri = quote(place.file.lstrip("/"), safe="/", errors="surrogatepass")
    return {"artifactLocation": {"uri": uri, "uriBaseId": _ROOT}, "region": {"startLine": max(1, place.line)}}


def _logical(urn: str) -> dict[str, Any]:
    return {"logicalLocations": [{"fullyQualifiedName": urn, "kind": "resource"}]}


def _message(text: str) -> str:
    """A message as the standard wants it: braces doubled, no brackets that would make a link."""
    return block(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")
