"""Playbook runs, each in a worker process of its own whose life hangs on a pipe from here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from access import host_lock
from access.ssh import Connection
from playbooks.phase import Ahead, Needs, Undo
from playbooks.provider import files
from playbooks.provider.run.guard import LOOK_TIMEOUT
from playbooks.provider.run.request import RunRequest
from playbooks.work import PHASES
from report.errors import CancelledError, OperationsError

PROJECT = Path(__file__).resolve().parents[2]
# Of this process's environment a worker gets what Ansible and ssh need, and not the engine's passphrase.
_KEPT = ("HOME", "LANG", "LOGNAME", "PATH", "SSH_AUTH_SOCK", "TERM", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV")
_KEPT_PREFIXES = ("LC_", "XDG_")
_LONGEST_EVENT = 16 * 1024 * 1024
# Starting Ansible takes the operator's processor, tasks mostly wait for the host.
_RUNS_PER_CPU = 4
LOOK_PATIENCE = 60.0
"""Seconds that one task of check mode may take. How long all of them do says nothing of a host that hangs: on
two processors, six hosts that are machines on them took more than a minute each."""
# A worker that was told to end bounds its own clean-up; this is a little more.
_END_TIMEOUT = 45.0

Event = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `successful` or `failed`."""

    status: str
    message: str
    changed: tuple[str, ...]
    tasks: int
    seconds: float


class Runs:
    """The runs of this process. `cancel` ends them all, as does the end of this process."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_RUNS_PER_CPU * (os.cpu_count() or 1))
        self._workers: set[asyncio.subprocess.Process] = set()
        self.cancelled = False
        """Whether nobody wants the runs any more."""

    async def run(self, request: RunRequest, on_event: Callable[[Event], Awaitable[None]]) -> Outcome:
        """Run it to its end. Raises CancelledError, and OperationsError when the worker itself breaks."""
        if self._slots.locked():
            await on_event({"kind": "status", "text": "waiting for other playbooks to end"})
        async with self._slots:
            if self.cancelled:
                raise CancelledError(f"{request.host}: cancelled before its phase {request.phase} began")
            return await self._work(request, on_event)

    async def cancel(self) -> None:
        """End all runs and wait until they have ended."""
        self.hang_up()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_TIMEOUT):
                while self._workers:
                    await asyncio.sleep(0.05)

    def hang_up(self) -> None:
        """Close the pipes that the runs' lives hang on."""
        self.cancelled = True
        for worker in self._workers:
            if worker.stdin:
                worker.stdin.close()

    async def _work(self, request: RunRequest, on_event: Callable[[Event], Awaitable[None]]) -> Outcome:
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "playbooks.provider.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=PROJECT,
            env=_environment(),
            # The engine may kill this process's group; the worker then still ends its run on the host.
            start_new_session=True,
            limit=_LONGEST_EVENT,
        )
        assert worker.stdin and worker.stdout and worker.stderr
        self._workers.add(worker)
        try:
            worker.stdin.write(request.to_json().encode() + b"\n")
            with contextlib.suppress(ConnectionError):
                await worker.stdin.drain()
            errors = asyncio.create_task(worker.stderr.read())
            outcome = None
            async for line in worker.stdout:
                event = json.loads(line)
                if event["kind"] == "outcome":
                    outcome = event
                else:
                    await on_event(event)
            await worker.wait()
            return self._result(request, outcome, worker.returncode, (await errors).decode(errors="replace"))
        finally:
            worker.stdin.close()
            self._workers.discard(worker)

    def _result(self, request: RunRequest, outcome: Event | None, code: int | None, errors: str) -> Outcome:
        if outcome is None and self.cancelled:
            raise CancelledError(f"{request.host}: phase {request.phase} was cancelled")
        if outcome is None:
            words = "\n".join(errors.strip().splitlines()[-15:])
            msg = f"{request.host}: the process of phase {request.phase} broke (status {code}): {words}"
            raise OperationsError(msg)
        if outcome["status"] == "cancelled":
            raise CancelledError(f"{request.host}: phase {request.phase}: {outcome['message']}")
        changed, tasks = tuple(outcome.get("changed", ())), outcome.get("tasks", 0)
        return Outcome(outcome["status"], outcome["message"], changed, tasks, outcome["seconds"])


def request_for(
    inputs: Mapping[str, Any],
    connection: Connection,
    timeout: float,
    *,
    undo: Undo | None = None,
    ahead: Ahead | None = None,
    withdraws: bool = False,
    is_made: bool = False,
) -> RunRequest:
    """Return what a phase's resource asks for, by its inputs or its state: its play, or the one that takes
    its work back, or what of it comes ahead of the host's turn. Raises OperationsError where a file of the
    variables cannot be read.

    withdraws: the play that comes before that one which takes its work back, and takes the host's member out
    of etcd. is_made: whether the phase was finished on the host before: a control plane that is there needs
    no token, and may be what keeps the cluster from answering.
    """
    host, phase, run = inputs["host"], PHASES[inputs["phase"]], secrets.token_hex(8)
    if undo:
        playbook, variables = undo.withdrawal if withdraws else undo.playbook, undo.variables
    else:
        playbook, variables = (ahead or phase).playbook, files.texts(inputs.get("file_variables") or {})
    joins = phase.needs is Needs.JOIN_TOKEN and not undo
    return RunRequest(
        run=run,
        host=host,
        phase=phase.name,
        playbook=str(playbook),
        connection=connection,
        variables={**inputs["variables"], **variables},
        secret_variables=inputs.get("secret_variables") or {},
        bootstrap_kubeconfig=inputs.get("kubeconfig") if joins else None,
        tokenless=bool(phase.initialises) and (is_made or bool(inputs["variables"].get(phase.initialises))),
        timeout=timeout,
        owner=f"{host_lock.operator()}, {host} {phase}, run {run}",
    )


def look_for(inputs: Mapping[str, Any], connection: Connection) -> RunRequest:
    """Return what asks whether a host is as its phase left it: its play in check mode, which joins nothing.
    Raises as `request_for` does."""
    request = request_for(inputs, connection, LOOK_TIMEOUT)
    return replace(request, check=True, patience=LOOK_PATIENCE, bootstrap_kubeconfig=None)


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key in _KEPT or key.startswith(_KEPT_PREFIXES)}
    binaries = str(Path(sys.executable).parent)
    return {**kept, "PATH": f"{binaries}:{kept.get('PATH', os.defpath)}", "PYTHONPATH": str(PROJECT)}
