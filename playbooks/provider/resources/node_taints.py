"""`crossmesh:kubernetes:NodeTaints`."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable, Mapping
from typing import Any

from access.cluster import Cluster
from access.errors import AccessError, Conflict, Missing, Unanswered
from playbooks import taints
from playbooks.definitions import FIELD_MANAGER
from playbooks.provider import sdk
from playbooks.provider.resources.base import Changes, Operation, Resource, differing
from playbooks.provider.resources.steps import once, persist
from playbooks.provider.values import Properties

_MANAGER = f"{FIELD_MANAGER}-taints"
"""Not that of what is applied: a Node with labels that were applied is known by it."""


class NodeTaints(Resource):
    """Taints of one node, among others that kubelet and Kubernetes' controllers put there.

    Their list is one field: to apply it takes away what others put in, and to give it up takes out nothing
    while another one holds it too. So it is read, changed and written as it was read.
    """

    schema = sdk.NodeTaints.schema()

    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        # Another kubeconfig leads to the same cluster: its identity was checked before.
        updates = ("taints",) if old["applied"] != new["taints"] else ()
        return Changes(updates=updates, replaces=differing(("node",), old, new))

    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        return await self.update(operation, {"applied": {}}, inputs)

    async def update(self, operation: Operation, old: Properties, new: Properties) -> Properties:
        if not operation.preview:
            await _rewrite(operation, new, put=new["taints"], take=old["applied"])
        return {"node": new["node"], "applied": new["taints"]}

    async def read(self, operation: Operation, inputs: Properties, state: Properties) -> Properties | None:
        """What the Node has of them, so that the next `up` puts back what somebody changed."""
        node = await asyncio.to_thread(once, inputs, lambda cluster: cluster.get(_path(inputs)))
        return None if node is None else {**state, "applied": taints.live(node, inputs["taints"])}

    async def delete(self, operation: Operation, inputs: Properties, state: Properties) -> None:
        await _rewrite(operation, inputs, put={}, take={**inputs["taints"], **state["applied"]})


async def _rewrite(operation: Operation, inputs: Properties, put: taints.Taints, take: Iterable[str]) -> None:
    """Put taints in and take others out. Of a Node that is gone there is nothing to take out."""
    name, path = inputs["node"], _path(inputs)

    def step(cluster: Cluster) -> None:
        node = cluster.get(path)
        if node is None:
            if not put:
                return
            raise AccessError(
                f"{name}: the cluster has no such Node to put taints on",
                fix="have kubelet register there (systemctl restart kubelet), and run again; "
                f"or take {name} out of the declaration",
            )
        patch = _patch(node, taints.rewritten(taints.of_node(node), put, take))
        if patch is None:
            return
        try:
            cluster.patch(f"{path}?fieldManager={_MANAGER}", patch)
        except (Conflict, Missing):
            raise Unanswered(f"{name}: its Node was changed while its taints were") from None

    await persist(operation, inputs, step)


def _patch(node: Mapping[str, Any], wanted: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What is to be merged into a Node as it was read; None where nothing is to be done."""
    metadata = node["metadata"]
    held = metadata.get("managedFields") or []
    let_go = _let_go(held)
    if wanted == taints.of_node(node) and let_go == held:
        return None
    changed = {"managedFields": let_go} if let_go != held else {}
    # With the version that was read, the server refuses what somebody changed meanwhile.
    return {
        "metadata": {"resourceVersion": metadata["resourceVersion"], **changed},
        "spec": {"taints": wanted},
    }


def _let_go(managed_fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Who manages what, without an apply of ours that holds the whole list, as earlier versions made one:
    when its resource is given up, the list would go with it.
    """
    entries = copy.deepcopy(managed_fields)
    for entry in entries:
        if (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply"):
            fields = entry.get("fieldsV1") or {}
            (fields.get("f:spec") or {}).pop("f:taints", None)
            if fields.get("f:spec") == {}:
                del fields["f:spec"]
    return entries


def _path(inputs: Properties) -> str:
    return f"/api/v1/nodes/{inputs['node']}"
