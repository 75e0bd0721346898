"""A host looked at over ssh before anything is changed on it: who runs programs there, and its facts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from access import ssh
from access.errors import Unanswered
from access.ssh import Connection
from playbooks.preflight import checks, expected
from playbooks.preflight.expected import Expected
from report.errors import OperationsError
from report.model import Finding

REACH_TIMEOUT = 20.0
"""Seconds in which a host must answer: one that boots is given the time."""
LOGIN_SECONDS = 3.0 * ssh.CONNECT_TIMEOUT
"""For a login that answers."""
LOOK_SECONDS = 120.0
"""For all facts: the lists of software sources take half of it at most."""


async def reach_host(host: str, connection: Connection, wanted: Expected | None = None) -> None:
    """Log in and become root; keeps trying for a host that may still be booting.

    wanted: what the host shall become; it is looked at for that. Raises OperationsError with all refusals.
    """
    refused = checks.refusals(await examine(host, connection, wanted)) if wanted else []
    if wanted is None:
        await facts_of(host, connection, None)
    if refused:
        told = "\n".join(f"  - {finding.message}\n    fix: {finding.fix}" for finding in refused)
        raise OperationsError(f"{host}: its preflight refuses:\n{told}")


async def examine(host: str, connection: Connection, wanted: Expected) -> list[Finding]:
    """What stands against a host. Raises OperationsError where it cannot be looked at."""
    return checks.judge(host, await facts_of(host, connection, expected.order(wanted)), wanted)


async def facts_of(host: str, connection: Connection, asked: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The facts that are asked for, or who runs programs there. Raises OperationsError."""
    ssh.check_files(host, connection)
    deadline = time.monotonic() + REACH_TIMEOUT
    while True:
        try:
            return await _ask(host, connection, asked)
        except Unanswered:
            if time.monotonic() + ssh.CONNECT_TIMEOUT > deadline:
                raise
            await asyncio.sleep(1)


async def _ask(host: str, connection: Connection, asked: Mapping[str, Any] | None) -> Mapping[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *("ssh", *ssh.options(connection), "-T", connection.address, ssh.python(connection)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    begun = time.time()
    try:
        async with asyncio.timeout(LOGIN_SECONDS if asked is None else LOOK_SECONDS):
            answer, errors = await process.communicate(ssh.script(connection, expected.program(asked)))
    except TimeoutError:
        process.kill()
        await process.wait()
        msg = f"{host}: {connection.address} accepts connections, but a login does not end"
        raise Unanswered(msg, fix="look at the host's load and disk, and at its sshd") from None
    if process.returncode != 0:
        raise ssh.failure(host, connection, process.returncode or 0, errors.decode(errors="replace"))
    facts = facts_in(host, connection, answer)
    if "clock" in facts:
        facts["clock"]["skew"] = outside(facts["clock"]["now"], begun, time.time())
    return facts


def facts_in(host: str, connection: Connection, answer: bytes) -> dict[str, Any]:
    """What a program of `expected.program` answered, as root. Raises OperationsError."""
    try:
        # What the login itself says comes before.
        facts = dict(json.loads(answer.splitlines()[-1]))
    except (IndexError, ValueError) as error:
        words = answer.decode(errors="replace").strip()[-200:]
        msg = f"{host}: its answer is none: {words or 'nothing'}"
        raise OperationsError(msg, fix="see what its shell says at a login without a terminal") from error
    if facts["uid"] != 0:
        msg = f"{host}: {connection.user} does not become root: it has the user id {facts['uid']}"
        raise OperationsError(msg, fix="use root, or a user that may use sudo")
    return facts


def outside(moment: float, begun: float, ended: float) -> float:
    """How far a moment lies after the end, or (below zero) before the begin, of the time that it is of."""
    return moment - ended if moment > ended else min(0.0, moment - begun)
