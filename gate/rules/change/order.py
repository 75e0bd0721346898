"""Releases move in the order that they can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from gate.rules.change.versions import before, of_distributions
from gate.rules.subject import Check, Subject, failed, not_measurable, only_in
from releases import NAMES
from releases.order import order
from report.model import Finding, Rule, Severity
from stacks.model import Environment, Versions

RULE = Rule(
    "change/release-order",
    "Releases move in the order that they can",
    "Some releases need another program to have moved before them, in a change of its own: within one, "
    "nothing says which is through first. Some have no simple way back, which is a warning. The facts are in "
    "the catalogue (docs/releases.md), each with how it was seen.",
)

_Steps = Mapping[str, tuple[str, str]]
"""What each program of a region goes from and to."""


def _find(subject: Subject) -> Iterator[Finding]:
    environment, old = subject.stack.environment, before(subject)
    said: dict[Finding, list[str]] = {}
    for region in sorted(environment.regions):
        had = old.get(region, {})
        steps = _steps(environment, region, had)
        for finding in (*_first(environment, region, steps, had), *_one_way(environment, region, steps)):
            said.setdefault(finding, []).append(region)
    for finding, regions in said.items():
        yield replace(finding, message=f"{only_in(regions, environment)}{finding.message}")


def _steps(environment: Environment, region: str, old: Mapping[str, str]) -> _Steps:
    new = environment.kept_in(region)
    return {program: (had, new[program]) for program, had in old.items() if program in new}


def _first(environment: Environment, region: str, steps: _Steps, old: Mapping[str, str]) -> Iterator[Finding]:
    for fact in order().first:
        if fact.program not in steps or not fact.crossed(*steps[fact.program]):
            continue
        step = f"{NAMES[fact.program]} goes to {steps[fact.program][1]}"
        wanted = f"{NAMES[fact.other]} {fact.at_least} or later"
        had = [steps[fact.other][0]] if fact.other in steps else []
        if fact.other == "containerd":
            # It may be the distribution's before or after, which is no step between releases.
            had = [old["containerd"]] if "containerd" in old else [*of_distributions(environment)]
        if late := [version for version in had if not fact.met(version)]:
            words = f"{step} while {NAMES[fact.other]} is {' or '.join(late)}: {fact.why}"
            fix = f"go to {wanted} first, in a change of its own"
            yield failed(RULE, words, fix=fix, declared=environment.version_path(region, fact.program))
        elif not had and (fact.other == "containerd" or fact.other not in Versions.model_fields):
            yield not_measurable(RULE, f"{step}, before which {wanted} must be there: {fact.why}")


def _one_way(environment: Environment, region: str, steps: _Steps) -> Iterator[Finding]:
    for fact in order().one_way:
        if fact.program in steps and fact.crossed(*steps[fact.program]):
            reached = f"{NAMES[fact.program]} {steps[fact.program][1]}"
            words = f"{reached} has no simple way back: {fact.why}"
            where = environment.version_path(region, fact.program)
            fix = f"have a backup, and the way back ready: {fact.back}"
            yield failed(RULE, words, fix=fix, severity=Severity.WARNING, declared=where)


CHECK = Check("clusters", RULE, _find)
