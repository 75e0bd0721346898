"""`crossmesh:kubernetes:CustomResourceDefinition`."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from access.cluster import Cluster
from access.errors import Unanswered
from playbooks.definitions import FIELD_MANAGER, FORCE, unfolded
from playbooks.provider import sdk
from playbooks.provider.resources.base import Changes, Operation, Resource
from playbooks.provider.resources.steps import once, persist
from playbooks.provider.values import UNKNOWN, Properties, has_unknown
from stacks import digests


class CustomResourceDefinition(Resource):
    """A kind of objects that a cluster gets, by server-side apply. It counts as made when it is served."""

    schema = sdk.CustomResourceDefinition.schema()

    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        # Another kubeconfig leads to the same cluster: its identity was checked before.
        definition = new["definition"]
        known = not has_unknown(definition)
        same = known and digests.of_value(definition) == old["applied"]
        return Changes(updates=() if same else ("definition",))

    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        if operation.preview:
            return {"applied": UNKNOWN, "generation": UNKNOWN}
        path, definition = _path(inputs), unfolded(inputs["definition"])
        force = os.environ.get(FORCE, "").lower() == "true"

        def apply(cluster: Cluster) -> None:
            cluster.apply(path, definition, manager=FIELD_MANAGER, force=force)

        def served(cluster: Cluster) -> dict[str, Any]:
            live = cluster.get(path) or {}
            conditions = {
                entry["type"]: entry for entry in (live.get("status") or {}).get("conditions") or ()
            }
            if (conditions.get("Established") or {}).get("status") == "True":
                return live
            refused = conditions.get("NamesAccepted") or {}
            raise Unanswered(f"{path} is not served yet: {refused.get('message') or 'no reason given'}")

        await persist(operation, inputs, apply)
        live = await persist(operation, inputs, served)
        return {
            "applied": digests.of_value(inputs["definition"]),
            "generation": live["metadata"].get("generation"),
        }

    async def read(self, operation: Operation, inputs: Properties, state: Properties) -> Properties | None:
        """What was applied; none of it once somebody else changed it, so that the next `up` applies it."""
        live = await asyncio.to_thread(once, inputs, lambda cluster: cluster.get(_path(inputs)))
        if live is None:
            return None
        generation = live["metadata"].get("generation")
        edited = generation != state["generation"]
        return {"applied": "" if edited else state["applied"], "generation": generation}

    async def delete(self, operation: Operation, inputs: Properties, state: Properties) -> None:
        path = _path(inputs)

        def gone(cluster: Cluster) -> None:
            cluster.delete(path)
            if cluster.get(path) is not None:
                raise Unanswered(f"{path} is there until all objects of its kind are gone")

        await persist(operation, inputs, gone)


def _path(inputs: Properties) -> str:
    definition = inputs["definition"]
    return f"/apis/{definition['apiVersion']}/customresourcedefinitions/{definition['metadata']['name']}"
