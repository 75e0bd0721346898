"""`crossmesh:kubernetes:CustomResourceDefinition`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

from access.cluster import Cluster
from access.errors import AccessError, Unanswered
from playbooks.definitions import FIELD_MANAGER, FORCE, unfolded
from playbooks.provider import sdk
from playbooks.provider.resources.base import Changes, Operation, Resource
from playbooks.provider.values import UNKNOWN, Properties, has_unknown
from stacks import digests

_TIMEOUT = 300.0
"""Seconds until a definition must be served, or gone: the objects of its kind go before it."""
T = TypeVar("T")


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

        await _persist(operation, inputs, apply)
        live = await _persist(operation, inputs, served)
        return {
            "applied": digests.of_value(inputs["definition"]),
            "generation": live["metadata"].get("generation"),
        }

    async def read(self, operation: Operation, inputs: Properties, state: Properties) -> Properties | None:
        """What was applied; none of it once somebody else changed it, so that the next `up` applies it."""
        live = await asyncio.to_thread(_once, inputs, lambda cluster: cluster.get(_path(inputs)))
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

        await _persist(operation, inputs, gone)


def _once(inputs: Properties, step: Callable[[Cluster], T]) -> T:
    # Opened in the step's own thread: a call that the engine cancels must not close it under that thread.
    with Cluster("", inputs["kubeconfig"]) as cluster:
        return step(cluster)


async def _persist(operation: Operation, inputs: Properties, step: Callable[[Cluster], T]) -> T:
    """Take a step until it succeeds, and say what it waits for. Raises the last error after its time."""
    start = time.monotonic()
    limit = operation.timeout or _TIMEOUT
    while True:
        try:
            return await asyncio.to_thread(_once, inputs, step)
        except Unanswered as problem:
            waited = time.monotonic() - start
            if waited >= limit:
                raise AccessError(
                    f"after {waited:.0f} s of waiting: {problem.message}", fix=problem.fix
                ) from None
            await operation.status(f"{problem.message} ({waited:.0f} s)")
        await asyncio.sleep(0.2)


def _path(inputs: Properties) -> str:
    definition = inputs["definition"]
    return f"/apis/{definition['apiVersion']}/customresourcedefinitions/{definition['metadata']['name']}"
