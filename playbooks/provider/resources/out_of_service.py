"""A node while its host's kubelet goes to another minor version of Kubernetes, or its containerd is
exchanged: without pods, and back.

Kubernetes asks for a drain before the first (kubernetes.io, Version Skew Policy, kubelet), and the second
ends all containers. What this cordons it
marks at the node in the same step, so that the next run after one that was broken off brings it back, and a
node that somebody else cordoned stays so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from access.cluster import Cluster
from access.errors import AccessError, Unanswered
from playbooks.provider.membership import Leaving, is_cordoned_for_a_change
from playbooks.provider.resources.base import Operation
from releases import minor
from report.errors import CancelledError, OperationsError
from report.problem import Problem

AGAIN_SECONDS = 10.0
"""Until a budget that would never let a pod go is looked at once more."""

Say = Callable[[str], Awaitable[None]]


def leaving_of(operation: Operation, cluster: Cluster, host: str) -> Leaving:
    """What takes a host's node out of its cluster, told as the operation tells."""
    return Leaving(
        cluster,
        host,
        say=lambda text: operation.status(f"{host}: {text}"),
        cancelled=lambda: operation.context.runs.cancelled,
    )


@asynccontextmanager
async def held(operation: Operation, inputs: Mapping[str, Any], seconds: float) -> AsyncIterator[None]:
    """The same for the host of a phase, by its inputs; of others than nodes nothing is done."""
    variables, kubeconfig = inputs["variables"], inputs.get("kubeconfig")
    version, runtime = variables.get("upgrade_version"), variables.get("container_runtime_release", "")
    if not version or not kubeconfig:
        yield
        return
    with Cluster(inputs.get("region") or "", kubeconfig) as cluster:
        leaving = leaving_of(operation, cluster, inputs["host"])
        async with out_of_service(
            leaving, version, seconds, runtime=runtime, tell=operation.info, warn=operation.warning
        ):
            yield


@asynccontextmanager
async def out_of_service(
    leaving: Leaving, version: str, seconds: float, *, runtime: str = "", tell: Say, warn: Say
) -> AsyncIterator[None]:
    """Hold a node out of service where its kubelet is of another minor version than `version`, or its
    containerd is not the release `runtime`; without one it is the distribution's, and stays.

    seconds: for its pods to go. tell: takes what was done. warn: takes what is done otherwise. Raises
    OperationsError, with the node as it was, when they do not go.
    """
    host, silent = leaving.name, False
    try:
        why = await _reason(leaving, version, runtime, warn)
    except Unanswered as error:
        # What cannot be asked may be what this run is to mend: a control plane in the middle of its upgrade.
        await warn(f"{host}: not drained, because its cluster does not answer: {error.message}")
        why, silent = "", True
    if why:
        await _empty(leaving, why, seconds, warn)
    try:
        yield
    except OperationsError:
        await _tell_what_stays(leaving, warn)
        raise
    # Also where nothing was to be drained any more: a run that was broken off may have left it so.
    try:
        returned = await leaving.return_to_service()
    except Unanswered:
        # A new machine that is to make its control plane is prepared before that can answer. One that is a
        # node has been answered by its cluster within the play.
        if not silent:
            raise
        returned = False
    if returned:
        await tell(f"{host}: takes pods again")


async def _reason(leaving: Leaving, version: str, runtime: str, warn: Say) -> str:
    """What it is drained for; empty where it is not."""
    node = await leaving.node() or {}
    runs, has = kubelet_of(node), containerd_of(node)
    if runtime and has and has != runtime:
        what, else_ = f"containerd {runtime}", "they end, and start again by the new one"
    elif runs and minor(runs) != minor(version):
        what, else_ = f"Kubernetes {version}", "they stay, and kubelet is exchanged under them"
    else:
        return ""
    if not await leaving.has_elsewhere():
        await warn(f"{leaving.name}: not drained for {what}, because no other node takes its pods: {else_}")
        return ""
    return what


async def _empty(leaving: Leaving, why: str, seconds: float, warn: Say) -> None:
    host, node = leaving.name, await leaving.node()
    # Before the first cordon: a cordoned node is no room for its own pods.
    staying, barring = await _looked_at(leaving)
    if barring:
        # Where a budget has a number, as many pods are expected as there are: one is just being made anew.
        await asyncio.sleep(AGAIN_SECONDS)
        staying, barring = await _looked_at(leaving)
    if barring:
        # Waited for, it would be refused as well, after all the time that pods are given.
        await leaving.return_to_service()
        more = f", and {len(barring) - 1} more like it" if len(barring) > 1 else ""
        msg = f"{host}: not upgraded, and not cordoned for it: {barring[0].what}{more}"
        raise OperationsError(msg, fix=barring[0].fix)
    for why_not in staying.values():
        await warn(f"{host}: a pod stays, though {why} comes under it: {why_not}")
    if not ((node or {}).get("spec") or {}).get("unschedulable"):
        await leaving.cordon(why)
    try:
        left = await leaving.drain(seconds, but=staying)
    except CancelledError:
        await leaving.return_to_service()
        raise
    except OperationsError as error:
        if not await leaving.return_to_service():
            raise
        msg = f"{host}: not upgraded, and it takes pods as before: {error.message}"
        fix = "make room on other nodes, or have the disruption budgets allow it, and run again"
        raise OperationsError(msg, fix=fix) from error
    if left:
        await warn(f"{host}: upgraded with pods that can run nowhere else: {', '.join(left)}")


async def _looked_at(leaving: Leaving) -> tuple[dict[str, str], list[Problem]]:
    """Pods that would be lost, or run nowhere, with why; and what bars the others from ever going. Raises
    AccessError."""
    # What reads quantities takes a second to import, which other changes need not wait for.
    from playbooks.provider import proof

    live = await asyncio.to_thread(proof.looked_at, leaving.cluster.get)
    staying = proof.staying(live, leaving.name)
    return staying, [problem for problem in proof.lasting(live, leaving.name) if problem.about not in staying]


async def _tell_what_stays(leaving: Leaving, warn: Say) -> None:
    with contextlib.suppress(AccessError):
        if is_cordoned_for_a_change(await leaving.node() or {}):
            back = f"or `kubectl uncordon {leaving.name}`"
            await warn(
                f"{leaving.name}: stays cordoned until a run ends well that brings it to its version, {back}"
            )


def kubelet_of(node: Mapping[str, Any]) -> str:
    """Version of a node's kubelet, as it says; empty where it has said none."""
    information = (node.get("status") or {}).get("nodeInfo") or {}
    return str(information.get("kubeletVersion") or "").removeprefix("v")


def containerd_of(node: Mapping[str, Any]) -> str:
    """Version of a node's containerd, as its kubelet says; empty where it has said none."""
    information = (node.get("status") or {}).get("nodeInfo") or {}
    program, _, version = str(information.get("containerRuntimeVersion") or "").partition("://")
    return version if program == "containerd" else ""
