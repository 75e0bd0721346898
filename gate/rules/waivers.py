"""Waivers over findings, and what is to be said of the waivers themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from gate.rules.subject import failed, of_problem, passed
from policies.waivers import ALL, NEVER_WAIVED, covers, is_for, means, read, waiver_of
from report.model import Finding, Rule, Severity, Status, Waiver
from stacks.errors import Problem, render_path

SOON = timedelta(days=14)
"""How long before its end a waiver is spoken of."""

VALID = Rule(
    "waiver/valid",
    "Waivers are well formed",
    "policies/waivers.yaml is a list. Each waiver has rule, resource, owner, reason and expires "
    "(YYYY-MM-DD), and may have stack. One that is wrong waives nothing.",
)
CURRENT = Rule(
    "waiver/current",
    "No waiver has ended, or is about to",
    "A waiver that has ended waives nothing. Mend what it was for, or have its owner decide anew and set "
    "another end. It is a warning from 14 days before.",
)
USED = Rule(
    "waiver/used",
    "Every waiver is needed",
    "Remove what waives nothing in this stack any more; what it was for may come back unseen.",
    Severity.NOTE,
)
RULES = (VALID, CURRENT, USED)


def apply(
    findings: Sequence[Finding], path: Path, *, stack: str, urns: Iterable[str], today: date
) -> tuple[Finding, ...]:
    """The findings with those waived that a waiver covers today, and what the waivers are found to be.

    urns: what the stack has, or will have. A waiver for all stacks may be for others' resources.
    """
    root = path.parent.parent
    waivers, problems = read(path, root)
    file = path.relative_to(root).as_posix()
    used: set[Waiver] = set()
    judged = []
    for finding in findings:
        waiver = None
        if finding.status is Status.FAIL and finding.rule.partition("/")[0] not in NEVER_WAIVED:
            waiver = waiver_of(waivers, finding.rule, finding.urn, stack, today)
            used |= {each for each in waivers if covers(each, finding.rule, finding.urn, stack)}
        judged.append(finding if waiver is None else replace(finding, status=Status.WAIVED, waiver=waiver))
    about = [of_problem(VALID, problem, file, _where(problem)) for problem in problems]
    for each in waivers:
        needed = each in used or (each.stack == ALL and not any(means(each, urn) for urn in urns))
        about += [replace(finding, place=each.place) for finding in _about(each, needed, stack, today)]
    for rule in RULES:
        if not any(finding.rule == rule.id for finding in about):
            about.append(passed(rule))
    return (*judged, *about)


def _where(problem: Problem) -> str:
    """Which waiver, counted from 1, and what of it."""
    if not problem.path:
        return "the file"
    index, *rest = problem.path
    which = f"waiver {int(index) + 1}"
    return f"{which}, {render_path(tuple(rest))}" if rest else which


def _about(waiver: Waiver, needed: bool, stack: str, today: date) -> Iterator[Finding]:
    if not is_for(waiver, stack):
        return
    what, end = f"{waiver.owner}'s waiver of {waiver.rule} for {waiver.resource}", waiver.expires.isoformat()
    if waiver.expires < today:
        fix = "mend what it was for, then remove it"
        yield failed(CURRENT, f"{what} ended on {end} and waives nothing", fix=fix)
        return
    if waiver.expires - today <= SOON:
        fix = "mend what it is for by then"
        yield failed(CURRENT, f"{what} ends on {end}", fix=fix, severity=Severity.WARNING)
    if not needed:
        yield failed(USED, f"{what} waives nothing here", fix="remove it, or name the stack that needs it")
