"""What rules get to look at, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

from components.tokens import REGION
from gate.effects.scene import below
from policies.objects import MALFORMED
from report.model import ChangeSet, Finding, Place, Resource, Rule, Severity, Status
from stacks.errors import Problem
from stacks.load import Stack
from stacks.model import BareMetalClusterSpec, Environment


@dataclass(frozen=True)
class Subject:
    """One stack's change, as far as rules are concerned."""

    changes: ChangeSet
    stack: Stack
    before: Stack | None
    """The declaration that there is; None where nobody knows it."""
    today: date

    @cached_property
    def after(self) -> tuple[Resource, ...]:
        """Every resource that there will be, in order of URN."""
        return self.changes.after


def clusters_that_stay(
    subject: Subject,
) -> Iterator[tuple[str, BareMetalClusterSpec, BareMetalClusterSpec]]:
    """Clusters on machines that there are and will be: their regions, as declared before and now."""
    if subject.before is None:
        return
    earlier = subject.before.environment.regions
    for region, spec in sorted(subject.stack.environment.regions.items()):
        was, now = earlier[region].cluster if region in earlier else None, spec.cluster
        if isinstance(was, BareMetalClusterSpec) and isinstance(now, BareMetalClusterSpec):
            yield region, was, now


def undeclared(regions: Iterable[str]) -> str:
    """That nobody says which Kubernetes these regions' clusters run, in words."""
    names = ", ".join(sorted(regions))
    return f"`kubernetesVersion` of the adopted clusters of {names} is not declared"


def malformed(rule: Rule, error: Exception, urn: str = "") -> Finding:
    """That a rule could not be applied for such an object."""
    return not_measurable(rule, f"an object is not of the form that its kind has ({error})", urn)


def part(resource: Resource, key: str) -> Mapping[str, Any]:
    """A mapping among a resource's inputs, such as `spec`; empty where there is none that can be seen."""
    return below(resource.inputs, key)


def region_urns(resources: Iterable[Resource]) -> dict[str, str]:
    """URNs of the regions' components, by the regions' names."""
    return {resource.name: resource.urn for resource in resources if resource.type == REGION}


@dataclass(frozen=True)
class Check:
    """A rule, and how it finds what is against it: it yields nothing where there is nothing."""

    column: str
    """The column that it is about; empty for all of them."""
    rule: Rule
    find: Callable[[Subject], Iterable[Finding]]

    def findings(self, subject: Subject) -> list[Finding]:
        """What the rule says of a change; that it passed, if nothing."""
        found: list[Finding] = []
        try:
            found += self.find(subject)
        except MALFORMED as error:
            found.append(malformed(self.rule, error))
        return found or [passed(self.rule)]


def passed(rule: Rule) -> Finding:
    """That a rule found nothing."""
    return Finding(rule.id, Status.PASS, "", rule.severity)


def failed(
    rule: Rule,
    message: str,
    urn: str = "",
    *,
    fix: str = "",
    severity: Severity | None = None,
    declared: tuple[str, ...] = (),
) -> Finding:
    """What is against a rule; an error unless the rule, or `severity`, says less.

    declared: path of the key below the environment that it is about, where it is about no resource.
    """
    return Finding(rule.id, Status.FAIL, message, severity or rule.severity, urn, fix=fix, declared=declared)


def only_in(regions: Sequence[str], environment: Environment) -> str:
    """The beginning of a message that is about some regions; empty where it is about all of them."""
    return "" if len(regions) == len(environment.regions) else f"{', '.join(regions)}: "


def of_problem(rule: Rule, problem: Problem, file: str, where: str) -> Finding:
    """What is wrong with a file, by a rule that asks for a valid one."""
    words = f"{where}: got {problem.got}; {problem.rule}"
    return replace(failed(rule, words, fix=problem.fix), place=Place(file, max(problem.line, 1)))


def not_measurable(rule: Rule, why: str, urn: str = "") -> Finding:
    """That a rule could not be applied, and why."""
    return Finding(rule.id, Status.NOT_MEASURABLE, why, rule.severity, urn)
