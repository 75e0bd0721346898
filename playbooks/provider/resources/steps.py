"""Steps that resources take in a cluster: one request or a few that belong together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from access.cluster import Cluster
from access.errors import AccessError, Unanswered
from playbooks.provider.resources.base import Operation
from playbooks.provider.values import Properties

_TIMEOUT = 300.0
"""Seconds until a step must have succeeded: a definition is gone after all objects of its kind."""
T = TypeVar("T")


def once(inputs: Properties, step: Callable[[Cluster], T]) -> T:
    """Take a step in the cluster of `inputs`. To be called in a thread of its own. Raises AccessError."""
    # Opened in the step's own thread: a call that the engine cancels must not close it under that thread.
    with Cluster("", inputs["kubeconfig"]) as cluster:
        return step(cluster)


async def persist(operation: Operation, inputs: Properties, step: Callable[[Cluster], T]) -> T:
    """Take a step until it raises no `Unanswered`, and say what it waits for. Raises the last one as an
    AccessError after the operation's time, and any other at once.
    """
    start = time.monotonic()
    limit = operation.timeout or _TIMEOUT
    while True:
        try:
            return await asyncio.to_thread(once, inputs, step)
        except Unanswered as problem:
            waited = time.monotonic() - start
            if waited >= limit:
                raise AccessError(
                    f"after {waited:.0f} s of waiting: {problem.message}", fix=problem.fix
                ) from None
            await operation.status(f"{problem.message} ({waited:.0f} s)")
        await asyncio.sleep(0.2)
