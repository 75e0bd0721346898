"""Draining a node takes one pod at a time of what is exposed, and comes to an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policies.exposed import KINDS, Workload, workloads
from policies.objects import Declared, Unknowns, at, selects
from policies.policy import of_cluster

_ENOUGH = 2
"""With fewer replicas a budget could only hold every drain up."""


def _find(objects: Sequence[Declared], unknowns: Unknowns) -> Iterator[tuple[Declared, str]]:
    budgets = [entry for entry in objects if entry.kind == "PodDisruptionBudget"]
    for workload in workloads(objects, unknowns):
        with unknowns.put_off():
            yield from _of_workload(workload, budgets)


def _of_workload(workload: Workload, budgets: Sequence[Declared]) -> Iterator[tuple[Declared, str]]:
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
        words = f"{declared} has {replicas} replicas, is exposed by {workload.exposed_by}, and has no "
        yield declared, f"{words}PodDisruptionBudget"
    for budget in own:
        if why := _never_lets_go(budget, replicas):
            yield budget, f"{budget} never lets a pod of {declared} go: {why}"


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


POLICY = of_cluster(
    "disruption-budgets",
    "What is exposed with two replicas or more has a disruption budget that lets pods go",
    "A drain takes all pods of a node at once, which may be all there are. Add a PodDisruptionBudget "
    "with maxUnavailable: 1 whose selector matches the pods. Applications of the stack file get theirs "
    "by themselves. One that allows no disruption at all stops every upgrade.",
    KINDS,
    _find,
)
