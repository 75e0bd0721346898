"""Draining a node takes one pod at a time of what is exposed, and comes to an end."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi_policy import EnforcementLevel, ReportViolation, StackValidationArgs, StackValidationPolicy

from policies.exposed import KINDS, Workload, exposures, workloads
from policies.objects import Declared, Unknowns, at, by_cluster, selects

_ENOUGH = 2
"""With fewer replicas a budget could only hold every drain up."""


def _validate(args: StackValidationArgs, report: ReportViolation) -> None:
    unknowns = Unknowns()
    for found in by_cluster(args.resources, KINDS, unknowns).values():
        budgets = [entry for entry in found if entry.kind == "PodDisruptionBudget"]
        for workload in workloads(found, exposures(found, unknowns), unknowns):
            with unknowns.put_off():
                _look_at(workload, budgets, report)
    unknowns.raise_any()


def _look_at(workload: Workload, budgets: Sequence[Declared], report: ReportViolation) -> None:
    declared, replicas = workload.declared, workload.replicas
    if replicas is None:
        return
    own = [
        budget
        for budget in budgets
        if budget.namespace == declared.namespace
        and selects(at(budget.props, "spec", "selector"), workload.labels)
    ]
    if not own and replicas >= _ENOUGH:
        report(
            f"{declared} has {replicas} replicas, is exposed by {workload.exposed_by}, and has no "
            "PodDisruptionBudget",
            declared.urn,
        )
    for budget in own:
        if why := _never_lets_go(budget, replicas):
            report(f"{budget} never lets a pod of {declared} go: {why}", budget.urn)


def _never_lets_go(budget: Declared, replicas: int) -> str:
    """Why a drain would wait for ever; empty when it would not."""
    spec = at(budget.props, "spec")
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    # Shares are rounded up: of two pods half is one, and a hundredth as well.
    if most is not None and str(most).removesuffix("%") == "0":
        return f"maxUnavailable is {most}"
    if least is not None and (least == "100%" or (not isinstance(least, str) and int(least) >= replicas)):
        return f"minAvailable is {least}, of {replicas}"
    return ""


POLICY = StackValidationPolicy(
    name="disruption-budgets",
    description="What is exposed with two replicas or more has a disruption budget that lets pods go",
    validate=_validate,
    enforcement_level=EnforcementLevel.MANDATORY,
    remediation_steps=(
        "A drain takes all pods of a node at once, which may be all there are. Add a PodDisruptionBudget "
        "with maxUnavailable: 1 whose selector matches the pods. Applications of the stack file get theirs "
        "by themselves. One that allows no disruption at all stops every upgrade."
    ),
)
