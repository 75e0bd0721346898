"""How a node leaves its cluster before its host is reset: cordoned, drained, and no object of it left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any

from access.errors import Conflict, Missing, NotAllowed, Unanswered
from report.errors import CancelledError, OperationsError

if TYPE_CHECKING:
    from access.cluster import Cluster

POLL_SECONDS = 2.0
_SHOWN = 5
_NODES, _PODS = "/api/v1/nodes", "/api/v1/pods"
_MIRROR = "kubernetes.io/config.mirror"
CORDONED_FOR = "crossmesh/cordoned-for"
"""Annotation of a node that is cordoned for a change of its host, and no longer after it: what for."""
BARRING = ("NoSchedule", "NoExecute")
"""Effects of taints that keep pods away."""

Object = dict[str, Any]


class Leaving:
    """One node on its way out. Every step may be done again: what is done already stays as it is."""

    def __init__(
        self,
        cluster: Cluster,
        node: str,
        *,
        say: Callable[[str], Awaitable[None]],
        cancelled: Callable[[], bool],
    ) -> None:
        """say: takes what it waits for. cancelled: whether nobody wants this any more."""
        self.cluster = self._cluster = cluster
        self.name = self._node = node
        self._path = f"{_NODES}/{node}"
        self._say = say
        self._cancelled = cancelled

    async def is_member(self) -> bool:
        """Whether the cluster has the node. Raises AccessError."""
        return await self.node() is not None

    async def node(self) -> Object | None:
        """The node as it is; None where the cluster has none. Raises AccessError."""
        return await asyncio.to_thread(self._cluster.get, self._path)

    async def cordon(self, why: str = "") -> None:
        """Have no new pods come. why: is written at the node, so that `return_to_service` knows that nobody
        else cordoned it. Raises AccessError.
        """
        marked = {"metadata": {"annotations": {CORDONED_FOR: why}}} if why else {}
        change = {**marked, "spec": {"unschedulable": True}}
        node = await asyncio.to_thread(self._cluster.patch, self._path, change)
        if not node["spec"].get("unschedulable"):
            msg = f"{self._node}: {self._cluster.server} accepted the cordon and did not make it"
            raise OperationsError(msg)

    async def return_to_service(self) -> bool:
        """Have new pods come again where it was cordoned with a reason; return whether it was.

        Raises AccessError.
        """
        if not is_cordoned_for_a_change(await self.node() or {}):
            return False
        change = {"metadata": {"annotations": {CORDONED_FOR: None}}, "spec": {"unschedulable": None}}
        await asyncio.to_thread(self._cluster.patch, self._path, change)
        return True

    async def has_elsewhere(self) -> bool:
        """Whether another node takes pods. Raises AccessError."""
        nodes = await self._items(_NODES)
        return any(node["metadata"]["name"] != self._node and _takes_pods(node) for node in nodes)

    async def drain(self, seconds: float, but: Collection[str] = ()) -> list[str]:
        """Have all pods go that can run elsewhere, as their disruption budgets allow. When no other node
        takes pods, all stay, and end with the node; returned are the names of those that do.

        but: `namespace/name` of pods that are left where they are.

        Raises OperationsError when some are left after `seconds`, and AccessError.
        """
        deadline = time.monotonic() + seconds
        while pods := [pod for pod in await self._movable() if name_of(pod) not in but]:
            if not any(_takes_pods(node) for node in await self._items(_NODES)):
                return [name_of(pod) for pod in pods]
            kept_by = {name_of(pod): await self._evict(pod) for pod in pods}
            words = _listed([f"{pod} ({why})" for pod, why in sorted(kept_by.items())])
            if self._cancelled():
                raise CancelledError(f"{self._node}: cancelled while it was drained; it stays cordoned")
            if time.monotonic() > deadline:
                msg = f"{self._node}: not drained within {seconds:.0f} s, it stays a node: {words}"
                fix = (
                    "make room on other nodes, or have the disruption budgets allow it, and run again. To "
                    f"keep the node, declare it again and `kubectl uncordon {self._node}`"
                )
                raise OperationsError(msg, fix=fix)
            await self._say(f"waiting for {len(pods)} pods to go: {words}")
            await asyncio.sleep(POLL_SECONDS)
        return []

    async def remove(self) -> None:
        """Delete the node's object. Raises OperationsError when it stays, and AccessError."""
        await asyncio.to_thread(self._cluster.delete, self._path)
        if await self.is_member():
            msg = f"{self._node}: its Node was deleted and is still there"
            fix = f"see its finalizers: kubectl get node {self._node} -o jsonpath='{{.metadata.finalizers}}'"
            raise OperationsError(msg, fix=fix)

    async def _movable(self) -> list[Object]:
        pods = await self._items(f"{_PODS}?fieldSelector=spec.nodeName%3D{self._node}")
        return [pod for pod in pods if not belongs_to_node(pod)]

    async def _items(self, path: str) -> list[Object]:
        return list((await asyncio.to_thread(self._cluster.get, path) or {}).get("items") or ())

    async def _evict(self, pod: Object) -> str:
        """Ask for the pod to go; return why it is there still."""
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp"):
            return "ends"
        name, namespace = metadata["name"], metadata["namespace"]
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": metadata["uid"]}},
        }
        try:
            path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
            await asyncio.to_thread(self._cluster.post, path, body)
        except (Missing, Conflict):
            # It went meanwhile, and its name may already be another one's.
            return "ends"
        except NotAllowed:
            # Nothing more may be asked for in a namespace that is being deleted: its pods go with it.
            found = await asyncio.to_thread(self._cluster.get, f"/api/v1/namespaces/{namespace}")
            if found and not found["metadata"].get("deletionTimestamp"):
                raise
            return "ends with its namespace"
        except Unanswered as exc:
            # A disruption budget that allows none now answers 429, which may pass.
            return exc.message.rpartition(": ")[2]
        return "ends"


def belongs_to_node(pod: Object) -> bool:
    """Whether a pod need not go: it has ended, or is one of this node's own."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    metadata = pod["metadata"]
    owners = metadata.get("ownerReferences") or ()
    of_daemon_set = any(owner["kind"] == "DaemonSet" and owner.get("controller") for owner in owners)
    return of_daemon_set or _MIRROR in (metadata.get("annotations") or {})


def is_cordoned_for_a_change(node: Object) -> bool:
    """Whether a change of its host has cordoned it, and has not brought it back yet."""
    return CORDONED_FOR in ((node.get("metadata") or {}).get("annotations") or {})


def _takes_pods(node: Object) -> bool:
    """Whether pods without tolerations may be put on the node. A cordoned one takes none."""
    spec = node.get("spec") or {}
    barred = any(taint["effect"] in BARRING for taint in spec.get("taints") or ())
    return not spec.get("unschedulable") and not barred and is_ready(node)


def is_ready(node: Object) -> bool:
    """Whether its kubelet says that it is."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def name_of(thing: Object) -> str:
    """`namespace/name` of a pod or the like."""
    return f"{thing['metadata']['namespace']}/{thing['metadata']['name']}"


def _listed(entries: list[str]) -> str:
    more = [f"and {len(entries) - _SHOWN} more"] if len(entries) > _SHOWN else []
    return ", ".join([*entries[:_SHOWN], *more])
