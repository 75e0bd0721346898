"""`crossmesh:kubernetes:Admission`."""

from __future__ import annotations

from access.cluster import Cluster
from access.errors import Missing, Unanswered
from playbooks.provider import sdk
from playbooks.provider.resources.base import Changes, Operation, Resource, differing
from playbooks.provider.resources.steps import persist
from playbooks.provider.values import Properties

_IN_A_ROW = 3
"""So often the object must be taken, each time over a connection of its own: a cluster may have several API
servers, and the way to a webhook is known to each one's kube-proxy within a second of the others."""


class Admission(Resource):
    """That objects of a kind are let through: a webhook that fails closed answers every API server.

    A pod that is ready is not reached yet: its address must come into the Service's endpoints and from there
    into kube-proxy's rules. So the object itself is offered, as a dry run, which asks all who would be asked.
    """

    schema = sdk.Admission.schema()

    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        # Another kubeconfig leads to the same cluster: its identity was checked before.
        return Changes(updates=differing(("collection", "probe", "server"), old, new))

    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        path, probe = inputs["collection"], inputs["probe"]
        taken = 0

        def offer(cluster: Cluster) -> None:
            nonlocal taken
            before, taken = taken, 0
            try:
                cluster.post(f"{path}?dryRun=All", probe)
            except Missing:
                raise Unanswered(f"{path} is not served yet") from None
            taken = before + 1
            if taken < _IN_A_ROW:
                raise Unanswered(f"{path}: an object was let through, {taken} of {_IN_A_ROW} times in a row")

        if not operation.preview:
            await persist(operation, inputs, offer)
        return {"collection": path, "probe": probe, "server": inputs["server"]}
