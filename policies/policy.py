"""How policies are made: on one object at a time, or on each cluster's objects. All of them are mandatory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies.objects import Declared, Object, Unknowns, by_cluster


def of_object(
    name: str, description: str, remedy: str, find: Callable[[str, Object], Iterable[str]]
) -> Policy:
    """A policy on single objects. find: from a resource's type and inputs, what is against it."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for words in find(args.resource_type, args.props):
            report(words, None)

    return ResourceValidationPolicy(
        name=name,
        description=description,
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
        remediation_steps=remedy,
    )


def of_cluster(
    name: str,
    description: str,
    remedy: str,
    kinds: Collection[str],
    find: Callable[[Sequence[Declared], Unknowns], Iterable[tuple[Declared, str]]],
) -> Policy:
    """A policy on each cluster's objects of some kinds. find: what is against it, each with its object."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        unknowns = Unknowns()
        for objects in by_cluster(args.resources, kinds, unknowns).values():
            for about, words in find(objects, unknowns):
                report(words, about.urn)
        unknowns.raise_any()

    return StackValidationPolicy(
        name=name,
        description=description,
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
        remediation_steps=remedy,
    )
