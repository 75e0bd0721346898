"""Take a node out of service for work on it, and bring it back: by proof before the first cordon."""

from __future__ import annotations

import asyncio

from playbooks.provider import proof
from playbooks.provider.membership import Leaving, is_ready, name_of
from report.errors import OperationsError
from report.problem import Problem
from runbooks.model import Blast, Facts, Parameter, Runbook, Step
from runbooks.nodes.site import NODE, REGION, NodeSite, opened_node

_ACCEPT = Parameter(
    "accept",
    f"problems that may be so, by commas: {proof.NO_ROOM}, {proof.UNMANAGED}, {proof.LOCAL_DATA}",
    "",
)
_SECONDS = Parameter("seconds", "how long pods may take to go", "600")


def _cordoned(site: NodeSite) -> str:
    return "" if site.unschedulable else f"{site.node} takes new pods"


def _drained(site: NodeSite) -> str:
    left = site.movable()
    names = ", ".join(name_of(pod) for pod in left[:5])
    return f"{len(left)} pods are left on {site.node}: {names}" if left else ""


def _was(site: NodeSite) -> Facts:
    return {"unschedulable": site.unschedulable}


def _uncordon_if_ours(site: NodeSite, before: Facts) -> None:
    # Cordoned by somebody before this run, it stays so.
    if not before.get("unschedulable"):
        site.set_unschedulable(False)


def _evict(site: NodeSite) -> None:
    async def say(text: str) -> None:
        site.tell(text)

    leaving = Leaving(site.cluster, site.node, say=say, cancelled=lambda: bool(site.lost()))
    stay = asyncio.run(leaving.drain(site.seconds))
    if stay:
        raise OperationsError(
            f"no other node takes pods: {', '.join(stay)} stay on {site.node}",
            fix="bring another node, or stop them yourself",
        )


def _proven(site: NodeSite) -> list[Problem]:
    return site.judged(proof.problems(site.live(), site.node))


def _blast(site: NodeSite) -> Blast:
    pods = [f"pod {name_of(pod)} moves" for pod in site.movable()]
    return Blast(site.node, [f"node {site.node} of region {site.region} takes no new pods", *pods])


def _well(site: NodeSite) -> list[Problem]:
    object_ = site.object()
    if is_ready(object_):
        return []
    conditions = (object_.get("status") or {}).get("conditions") or ()
    reason = next((entry.get("message", "") for entry in conditions if entry["type"] == "Ready"), "")
    return [Problem(f"{site.node} is not ready: {reason or 'its kubelet does not say why'}", "mend it first")]


DRAIN = Runbook(
    name="drain-node",
    title="Take a node out of service",
    says="For work on a machine: nothing runs there but what belongs to every node, and no new pod "
    "comes. `return-node` brings it back.",
    parameters=(NODE, REGION, _SECONDS, _ACCEPT),
    opened=opened_node,
    blast=_blast,
    preconditions=_proven,
    steps=(
        Step(
            "cordon",
            "have no new pods come to the node",
            do=lambda site: site.set_unschedulable(True),
            verify=_cordoned,
            before=_was,
            undo=_uncordon_if_ours,
        ),
        Step(
            "evict",
            "have its pods go, as their disruption budgets allow",
            do=_evict,
            verify=_drained,
            undo=lambda site, before: None,
        ),
    ),
    postconditions=lambda site: [],
)

RETURN = Runbook(
    name="return-node",
    title="Bring a node back into service",
    says="After `drain-node`: new pods come again. Pods that moved away stay where they are.",
    parameters=(NODE, REGION),
    opened=opened_node,
    blast=lambda site: Blast(site.node, [f"node {site.node} of region {site.region} takes new pods"]),
    preconditions=_well,
    steps=(
        Step(
            "uncordon",
            "have new pods come to the node",
            do=lambda site: site.set_unschedulable(False),
            verify=lambda site: f"{site.node} is cordoned" if site.unschedulable else "",
            before=_was,
            undo=lambda site, before: site.set_unschedulable(bool(before.get("unschedulable"))),
        ),
    ),
    postconditions=_well,
)
