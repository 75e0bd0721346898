"""How a phase's operations run playbooks on its host: by its connection, shown as they go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from access.ssh import Connection
from playbooks.provider import remedies, runs
from playbooks.provider.resources.base import Operation
from playbooks.provider.run.request import RunRequest
from playbooks.provider.runs import Event
from playbooks.provider.values import Properties
from report.errors import OperationsError

RUN_TIMEOUT = 1800.0
"""Seconds for a playbook when the program allows no other time."""


def connection_of(inputs: Properties) -> Connection:
    return Connection.of(inputs["connection"], inputs.get("become_password"))


async def hold(operation: Operation, inputs: Properties) -> None:
    """Have this run hold the region of a node, so that no runbook works there. Raises OperationsError."""
    await operation.context.holds.open(inputs.get("region") or "", operation.status, operation.warning)


async def run(
    operation: Operation, inputs: Properties, request: RunRequest, begun: asyncio.Event | None = None
) -> runs.Outcome:
    """Run it with its progress in the terminal. Raises OperationsError naming host, phase, task and message.

    inputs: the phase's, or its state. begun: set as soon as the host may be changed.
    """
    shown = operation.context.holds.shown(inputs.get("region") or "", request.host)
    request = replace(request, hold=shown)
    outcome = await operation.context.runs.run(request, follower(operation, request, begun))
    if outcome.status == "failed":
        where = f"{request.host} ({request.connection.address}), phase {request.phase}"
        fix = "" if "fix: " in outcome.message else remedies.remedy(request.host, outcome.message)
        raise OperationsError(f"{where}: {outcome.message}", fix=fix)
    return outcome


def follower(
    operation: Operation, request: RunRequest, begun: asyncio.Event | None = None
) -> Callable[[Event], Awaitable[None]]:
    """Return what shows a run's events: what runs now as a status, what changed the host to stay."""
    name = f"{request.host} {request.phase}"

    async def follow(event: Event) -> None:
        match event["kind"]:
            case "begun" if begun:
                begun.set()
            case "task":
                await operation.status(f"{name}: {event['task']}")
            case "status":
                await operation.status(f"{name}: {event['text']}")
            case "changed" if not request.check:
                await operation.info(f"{name}: changed: {event['task']} ({event['seconds']:.1f} s)")
            case "trouble" if not request.check:
                await operation.status(f"{name}: {event['text'].splitlines()[0]}")

    return follow
