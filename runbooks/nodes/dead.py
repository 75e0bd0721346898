"""A node whose machine is lost: its place in the cluster is cleared, so that another one can take it.

Nothing is taken for lost because it was not reached once: its kubelet has to be silent for the cluster as
well, and the operator says so by its name. Source of the taint: Kubernetes, "Non-graceful node shutdown".
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from access import ssh
from access.errors import AccessError, CredentialsRefused, IdentityMismatch, Unanswered
from live.logins import login
from playbooks.provider import proof
from playbooks.provider.membership import is_ready, name_of
from report.errors import OperationsError
from report.problem import Problem
from runbooks.control_plane import ask_etcd_beside
from runbooks.model import Blast, Facts, Parameter, Runbook, Step
from runbooks.nodes.site import NODE, NodeSite, opened_node
from stacks.model import NodeRole

ANOTHER_MACHINE = "another-machine"
"""What may be so: the node's machine is lost, and another one answers at its address."""
TAINT = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
SILENT_SECONDS = 60.0
"""For so long the cluster must not have heard of the node; kubelets say every ten seconds that they live."""
_POLL_SECONDS = 2.0
_ACCEPT = Parameter(
    "accept",
    f"problems that may be so, by commas: {proof.UNMANAGED}, {proof.LOCAL_DATA}, {ANOTHER_MACHINE}",
    "",
)
_SECONDS = Parameter("seconds", "how long its pods may take to be given up", "600")
_TOLD = """
import sys
order, told = json.loads(sys.stdin.readline()), {}
try:
    if order["expel"]:
        expel(order["name"])
    told["is_member"] = any(member.name == order["name"] for member in members(["127.0.0.1"]))
except (EtcdError, OSError) as error:
    told["why"] = str(error)
print(json.dumps(told))
"""
"""What follows the library by which plays ask etcd, on another machine of the control plane."""


def _is_control_plane(site: NodeSite) -> bool:
    return site.declared.role is NodeRole.CONTROL_PLANE


def _lost(site: NodeSite) -> list[Problem]:
    """What stands against it."""
    roles = [node.role for node in site.spec.nodes.values()]
    if _is_control_plane(site) and roles.count(NodeRole.CONTROL_PLANE) == 1:
        return [
            Problem(
                f"{site.node} is the only control plane of {site.region}: with it, the cluster is lost",
                "bring another machine at its address, and a backup onto it: `restore-on-new-machines`",
            )
        ]
    found = [*_answers(site), *_is_heard_of(site)]
    kinds = (proof.UNMANAGED, proof.LOCAL_DATA)
    found += [problem for problem in proof.problems(site.live(), site.node) if problem.kind in kinds]
    found.append(
        Problem(
            f"a machine that comes back as {site.node} makes it a node again",
            "switch it off, or take it off the network, before you go on",
            blocks=False,
        )
    )
    return site.judged(found)


def _answers(site: NodeSite) -> list[Problem]:
    """Whether somebody answers at its address."""
    fix = f"nothing of it is lost: `drain-node node={site.node}`, or take it out of the declaration"
    try:
        ssh.run(site.node, login(site.stack, site.node, site.declared.ssh_address), ["true"])
    except Unanswered:
        return []
    except (IdentityMismatch, CredentialsRefused) as error:
        return [
            Problem(
                f"somebody answers at the address of {site.node}: {error.message}",
                "see whether it is another machine, or the same one installed anew",
                kind=ANOTHER_MACHINE,
            )
        ]
    except AccessError as error:
        return [Problem(f"whether {site.node} answers cannot be said: {error.message}", error.fix)]
    return [Problem(f"{site.node} answers ssh", fix)]


def _is_heard_of(site: NodeSite) -> list[Problem]:
    """Whether its cluster hears of it."""
    node = site.cluster.get(site.path)
    if node is None:
        return []
    if is_ready(node):
        return [Problem(f"the kubelet of {site.node} says that it is ready", "wait; see `crossmesh doctor`")]
    conditions = (node.get("status") or {}).get("conditions") or ()
    since = next((one.get("lastTransitionTime") for one in conditions if one["type"] == "Ready"), None)
    silent = (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds() if since else SILENT_SECONDS
    if silent < SILENT_SECONDS:
        return [
            Problem(
                f"{site.node} is not ready for {silent:.0f} s only",
                f"wait until it is {SILENT_SECONDS:.0f} s; it may just start anew",
            )
        ]
    return []


def _fenced(site: NodeSite) -> str:
    node = site.cluster.get(site.path)
    if node is None or _has_taint(node):
        return ""
    return f"{site.node} is not marked as out of service"


def _has_taint(node: dict[str, Any]) -> bool:
    return any(one["key"] == TAINT["key"] for one in (node.get("spec") or {}).get("taints") or ())


def _fence(site: NodeSite) -> None:
    _set_taints(site, [*_other_taints(site), TAINT])


def _unfence(site: NodeSite, before: Facts) -> None:
    if not before.get("fenced") and site.cluster.get(site.path) is not None:
        _set_taints(site, _other_taints(site))


def _was(site: NodeSite) -> Facts:
    return {"fenced": not _fenced(site)}


def _other_taints(site: NodeSite) -> list[dict[str, Any]]:
    taints = (site.object().get("spec") or {}).get("taints") or ()
    return [one for one in taints if one["key"] != TAINT["key"]]


def _set_taints(site: NodeSite, taints: list[dict[str, Any]]) -> None:
    # Others put taints on a node that is silent: nothing of theirs is overwritten.
    version = {"resourceVersion": site.object()["metadata"]["resourceVersion"]}
    site.cluster.patch(site.path, {"metadata": version, "spec": {"taints": taints}})


def _pods_left(site: NodeSite) -> str:
    left = site.movable()
    names = ", ".join(name_of(pod) for pod in left[:5])
    return f"{len(left)} pods are still counted on {site.node}: {names}" if left else ""


def _await_pods(site: NodeSite) -> None:
    """Wait until the cluster has given them up: its controllers delete what is on a node out of service."""
    deadline = time.monotonic() + site.seconds
    while words := _pods_left(site):
        if why := site.lost():
            raise OperationsError(why)
        if time.monotonic() > deadline:
            raise OperationsError(
                f"not within {site.seconds:.0f} s: {words}",
                fix="see what kube-controller-manager says of them, and their finalizers; then `resume`",
            )
        site.tell(words)
        time.sleep(_POLL_SECONDS)


def _member_left(site: NodeSite) -> str:
    if not _is_control_plane(site) or not _ask_etcd(site, expel=False)["is_member"]:
        return ""
    return f"etcd of {site.region} still counts {site.node}"


def _ask_etcd(site: NodeSite, *, expel: bool) -> dict[str, Any]:
    """What the first machine of the control plane says that is asked and can. Raises OperationsError."""
    order = {"name": site.node, "expel": expel}
    cannot = f"no other control plane of {site.region} can take {site.node} out of etcd"
    return ask_etcd_beside(site.stack, site.spec, site.node, _TOLD, order, cannot)


def _expel(site: NodeSite) -> None:
    _ask_etcd(site, expel=True)


def _blast(site: NodeSite) -> Blast:
    pods = [f"pod {name_of(pod)} is given up" for pod in site.movable()]
    member = [f"etcd of {site.region} has one member less"] if _is_control_plane(site) else []
    return Blast(site.node, [*pods, *member, f"node {site.node} of region {site.region} is none any more"])


CLEAR = Runbook(
    name="clear-lost-node",
    title="Clear the place of a node whose machine is lost",
    says="For a machine that does not come back. Its pods start elsewhere, etcd and the cluster forget it. "
    "After it, bring another machine at its address, or give the node another address, and `pulumi up "
    "--refresh`; or take the node out of the declaration, and `CROSSMESH_LOST_HOSTS=NODE pulumi up`, which "
    "then resets nothing there.",
    parameters=(NODE, _SECONDS, _ACCEPT),
    opened=opened_node,
    blast=_blast,
    preconditions=_lost,
    steps=(
        Step(
            "fence",
            "mark the node as out of service: what it ran is given up, and its volumes are let go",
            do=_fence,
            verify=_fenced,
            before=_was,
            undo=_unfence,
        ),
        Step(
            "give-up",
            "wait until the cluster counts none of its pods any more",
            do=_await_pods,
            verify=_pods_left,
            one_way="what ran there is started elsewhere",
        ),
        Step(
            "expel",
            "take its member out of etcd, where it is a control plane",
            do=_expel,
            verify=_member_left,
            one_way="a machine that comes back finds itself removed; one that joins anew is a new member",
        ),
        Step(
            "remove",
            "delete the node's object",
            do=lambda site: site.cluster.delete(site.path),
            verify=lambda site: f"{site.node} is still a node" if site.cluster.get(site.path) else "",
            one_way="a machine that joins under this name makes it anew",
        ),
    ),
    postconditions=lambda site: [],
    takes_back=False,
)
