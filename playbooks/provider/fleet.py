"""Whether hosts can be reached: all that are concerned, before the first of them is changed.

The engine brings resources one by one. So that one host's bad key is not found when another one is half
changed, the first change of a run waits until the first phase of every declared host was seen, and reaches
all that change.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from access import ssh
from access.errors import Unanswered
from access.ssh import Connection
from report.errors import OperationsError

SEEN_TIMEOUT = 15.0
"""Seconds to wait for the declared hosts; with `--target` some of them never come."""
REACH_TIMEOUT = 20.0
"""Seconds in which a host must answer: one that boots is given the time."""
PROBE_TIMEOUT = 1.5
"""Seconds for a TCP connection at preview."""

Reach = Callable[[str, Connection], Awaitable[None]]


class Fleet:
    """The hosts of this run: which change, and whether they answer."""

    def __init__(self, reach: Reach | None = None) -> None:
        """reach: raises OperationsError for a host that cannot be used; by default it logs in."""
        self._first: dict[str, str] = {}
        self._reach = reach or reach_host
        self._seen: dict[str, tuple[Connection, bool | None]] = {}
        """How each host is reached, and whether it changes: None until the engine has asked."""
        self._changing: set[tuple[str, str]] = set()
        self._gate: asyncio.Task[list[OperationsError]] | None = None
        self._probes: dict[str, asyncio.Task[bool]] = {}
        self._news = asyncio.Event()

    def declare(self, first_phases: Mapping[str, str]) -> None:
        """Take over which hosts there are, and the first phase of each."""
        self._first = dict(first_phases)

    def saw(self, host: str, phase: str, connection: Connection, *, changes: bool | None) -> None:
        """Take note of a phase; changes: None when its difference will be asked for."""
        if changes:
            self._changing.add((host, phase))
        if self._first.get(host, phase) != phase:
            return
        self._seen[host] = (connection, changes)
        self._news.set()

    def changes(self, host: str, phases: Sequence[str]) -> str | None:
        """Return the first of `phases` of this host that changes in this run."""
        return next((phase for phase in phases if (host, phase) in self._changing), None)

    async def open(self, host: str, say: Callable[[str], Awaitable[None]]) -> None:
        """Return when all hosts that change have been reached. Raises OperationsError: once a report of those
        that were not, then that a change was not begun."""
        is_first = self._gate is None
        if self._gate is None:
            self._gate = asyncio.create_task(self._open(say))
        else:
            await say("waiting until all hosts concerned have been reached")
        failures = await asyncio.shield(self._gate)
        if not failures:
            return
        if not is_first:
            msg = f"{host}: not begun, because not all hosts concerned can be used; see the report"
            raise OperationsError(msg)
        count = f"{len(failures)} hosts" if len(failures) > 1 else "1 host"
        report = [f"{count} cannot be used; no host was changed", *(f"- {failure}" for failure in failures)]
        raise OperationsError("\n".join(report))

    async def probe(self, host: str, connection: Connection) -> bool:
        """Return whether the host accepts a TCP connection; asked once per host."""
        if host not in self._probes:
            self._probes[host] = asyncio.create_task(_accepts(connection))
        return await asyncio.shield(self._probes[host])

    async def _open(self, say: Callable[[str], Awaitable[None]]) -> list[OperationsError]:
        await self._all_seen(say)
        concerned = {
            host: connection for host, (connection, changes) in self._seen.items() if changes is not False
        }
        if not concerned:
            return []
        await say(f"reaching {len(concerned)} hosts: {', '.join(sorted(concerned))}")
        reached = await asyncio.gather(
            *(self._reach(host, concerned[host]) for host in sorted(concerned)), return_exceptions=True
        )
        for answer in reached:
            if answer is not None and not isinstance(answer, OperationsError):
                raise answer
        return [answer for answer in reached if isinstance(answer, OperationsError)]

    async def _all_seen(self, say: Callable[[str], Awaitable[None]]) -> None:
        deadline = time.monotonic() + SEEN_TIMEOUT
        while missing := self._missing():
            left = deadline - time.monotonic()
            if left <= 0:
                await say(f"going on without the hosts that this run does not bring: {', '.join(missing)}")
                return
            self._news.clear()
            try:
                async with asyncio.timeout(min(left, 2.0)):
                    await self._news.wait()
            except TimeoutError:
                await say(f"waiting for the program to bring {', '.join(self._missing())}")

    def _missing(self) -> list[str]:
        return sorted(host for host in self._first if self._seen.get(host, (None, None))[1] is None)


async def reach_host(host: str, connection: Connection) -> None:
    """Log in and become root. Raises OperationsError; keeps trying for a host that may still be booting."""
    ssh.check_files(host, connection)
    command = ssh.as_root(connection, ["python3", "-c", "import os; print(os.getuid())"])
    deadline = time.monotonic() + REACH_TIMEOUT
    while True:
        try:
            await _log_in(host, connection, command)
        except Unanswered:
            if time.monotonic() + ssh.CONNECT_TIMEOUT > deadline:
                raise
            await asyncio.sleep(1)
        else:
            return


async def _log_in(host: str, connection: Connection, command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *("ssh", *ssh.options(connection), "-T", connection.address, command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(3 * ssh.CONNECT_TIMEOUT):
            answer, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        msg = f"{host}: {connection.address} accepts connections, but a login does not end"
        raise Unanswered(msg, fix="look at the host's load and disk, and at its sshd") from None
    if process.returncode != 0:
        raise ssh.failure(host, connection, process.returncode or 0, errors.decode(errors="replace"))
    if answer.split()[-1:] != [b"0"]:
        msg = f"{host}: {connection.user} does not become root: it has the user id {answer.decode().strip()}"
        raise OperationsError(msg, fix="use root, or a user that may use sudo without a password")


async def _accepts(connection: Connection) -> bool:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            _, writer = await asyncio.open_connection(connection.address, connection.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
