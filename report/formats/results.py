"""What machines' reports list as results: findings of rules, and what else the verdict rests on."""

from __future__ import annotations

from report.examination import Examination
from report.exit_codes import ExitCode
from report.formats.facts import needs_approval, reach
from report.model import Change, Finding, Place, Rule, Severity, Status
from report.urns import kind

NEEDS_APPROVAL = Rule(
    "change/needs-approval",
    "Destructive changes are approved",
    "What is deleted or replaced may take data, a cluster or trust with it. If it is meant, say so with "
    "--approve; if not, mend what asks for it.",
)
UNEXPECTED = Rule(
    "change/unexpected",
    "Nothing changes that should not",
    "With --expect-no-changes, and when drift is looked for, every change is one too many.",
)
MEASURABLE = Rule(
    "layer/measurable",
    "Everything that matters could be looked at",
    "What could not be looked at may hold a surprise. --strict makes that a refusal.",
    Severity.NOTE,
)


def results(examination: Examination) -> tuple[tuple[Rule, ...], tuple[Finding, ...]]:
    """All rules, sorted by id, and all findings: the examination's own, one for each change that stands
    against the verdict and that no finding tells of, and one for each thing of a layer that could not be
    measured.
    """
    findings = [*examination.findings]
    told_of = {finding.urn for finding in examination.failures}
    for change in examination.changes.changes:
        if needs_approval(examination, change):
            findings.append(_of_change(NEEDS_APPROVAL, change, "Approve it with --approve if it is meant."))
        elif examination.verdict.code is ExitCode.UNEXPECTED_CHANGES and change.urn not in told_of:
            findings.append(_of_change(UNEXPECTED, change, ""))
    for layer in examination.layers:
        findings += [
            Finding(MEASURABLE.id, Status.NOT_MEASURABLE, f"{layer.title}: {words}", Severity.NOTE)
            for words in layer.not_measurable
        ]
    named = {finding.rule for finding in findings}
    own = (rule for rule in (NEEDS_APPROVAL, UNEXPECTED, MEASURABLE) if rule.id in named)
    rules = {rule.id: rule for rule in (*own, *examination.rules)}
    # A rule of somebody's pack that did not introduce itself is still a rule.
    rules |= {name: Rule(name, name) for name in named - rules.keys()}
    return tuple(rules[name] for name in sorted(rules)), tuple(findings)


def place_of(examination: Examination, finding: Finding) -> Place:
    """Where a result is to be shown: its own place, else the top of the stack's file."""
    if finding.place is not None:
        return Place(finding.place.file, max(1, finding.place.line))
    return Place(f"stacks/Pulumi.{examination.stack}.yaml", 1)


def _of_change(rule: Rule, change: Change, fix: str) -> Finding:
    reached = ", ".join(reach(change.blast))
    words = f"{kind(change.resource)} {change.resource.name} would be {change.op}d"
    words += f": {change.why}." if change.why else "."
    if reached:
        words += f" It reaches {reached}."
    return Finding(
        rule.id,
        Status.FAIL,
        words,
        rule.severity,
        change.urn,
        change.declared or change.program,
        fix,
        region=change.resource.region,
        declared=change.resource.declared,
    )
