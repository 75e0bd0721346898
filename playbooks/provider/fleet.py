"""Whether hosts can be reached: all that are concerned, before the first of them is changed.

The engine brings resources one by one. So that one host's bad key is not found when another one is half
changed, the first change of a run waits until the first phase of every declared host was seen, and reaches
all that change.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from access.ssh import Connection
from playbooks.preflight.expected import Expected
from playbooks.provider.look import reach_host
from report.errors import OperationsError

SEEN_TIMEOUT = 15.0
"""Seconds to wait for the declared hosts; with `--target` some of them never come."""
HEAD_STARTS = (0.0, 20.0, 60.0)
"""Seconds by rank that a host's first run gives way to those of lower ranks, when this computer has many to
do: control planes first, for which nodes wait, then nodes, for which pods wait, then all others."""
_RUNS_AT_EASE = 2
"""First runs per processor that need not be put in an order: starting one takes 3 s of a processor."""
PROBE_TIMEOUT = 1.5
"""Seconds for a TCP connection at preview."""

Reach = Callable[[str, Connection, Expected | None], Awaitable[None]]
"""Raises OperationsError for a host that cannot be used for what it shall become, where that is given."""


class Fleet:
    """The hosts of this run: which change, and whether they answer."""

    def __init__(self, reach: Reach | None = None) -> None:
        """reach: by default it logs in, and looks at the host."""
        self._first: dict[str, str] = {}
        self._reach = reach or reach_host
        self._seen: dict[str, tuple[Connection, Expected | None, bool | None]] = {}
        """How each host is reached, what it shall become, and whether it changes: None until the engine has
        asked."""
        self._changing: set[tuple[str, str]] = set()
        self._gate: asyncio.Task[list[OperationsError]] | None = None
        self._probes: dict[tuple[str, int], asyncio.Task[bool]] = {}
        self._news = asyncio.Event()
        self._ranks: dict[str, int] = {}
        self._begun: set[str] = set()
        """Hosts whose first run has ended."""
        self._opened_at = 0.0
        self._one_ended = asyncio.Event()

    def declare(self, first_phases: Mapping[str, str], ranks: Mapping[str, int] | None = None) -> None:
        """Take over which hosts there are, and the first phase of each. ranks: as in `HEAD_STARTS`."""
        self._first = dict(first_phases)
        self._ranks = dict(ranks or {})

    def saw(
        self,
        host: str,
        phase: str,
        connection: Connection,
        *,
        changes: bool | None,
        wanted: Expected | None = None,
    ) -> None:
        """Take note of a phase; changes: None when its difference will be asked for. wanted: what the host is
        looked at for before it is changed."""
        if changes:
            self._changing.add((host, phase))
        if self._first.get(host, phase) != phase:
            return
        self._seen[host] = (connection, wanted, changes)
        self._news.set()

    def look(self, host: str, phase: str, wanted: Expected | None) -> None:
        """Look at a host that was seen and does not change in its first phase, before any other changes."""
        if wanted and self._first.get(host, phase) == phase and host in self._seen:
            self._seen[host] = (self._seen[host][0], wanted, True)

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
        self._opened_at = self._opened_at or time.monotonic()
        if not failures:
            return
        if not is_first:
            msg = f"{host}: not begun, because not all hosts concerned can be used; see the report"
            raise OperationsError(msg)
        count = f"{len(failures)} hosts" if len(failures) > 1 else "1 host"
        report = [f"{count} cannot be used; no host was changed", *(f"- {failure}" for failure in failures)]
        raise OperationsError("\n".join(report))

    async def give_way(self, host: str, phase: str, say: Callable[[str], Awaitable[None]]) -> None:
        """Return when this host's first run may start: those of lower ranks have a head start.

        Without it all of them share the processors of this computer and end together, and what comes after
        the first ones begins that much later.
        """
        rank = self._ranks.get(host, 0)
        first_runs = {each for each, name in self._first.items() if (each, name) in self._changing}
        few = len(first_runs) <= _RUNS_AT_EASE * (os.cpu_count() or 1)
        if not rank or few or self._first.get(host) != phase:
            return
        until = self._opened_at + HEAD_STARTS[rank]
        before = {each for each in first_runs if self._ranks.get(each, 0) < rank}
        said = False
        while ahead := before - self._begun:
            left = until - time.monotonic()
            if left <= 0:
                return
            if not said:
                await say(f"{', '.join(sorted(ahead))} first: others wait for them")
                said = True
            self._one_ended.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._one_ended.wait()

    def has_begun(self, host: str) -> None:
        """Take note that a host's first run has ended, however."""
        self._begun.add(host)
        self._one_ended.set()

    async def probe(self, connection: Connection) -> bool:
        """Return whether a host, or the jump host on the way to it, accepts a TCP connection.

        Each is asked once: from version 9.8 on, sshd shuts out who often connects and does not log in.
        """
        hop = connection.first_hop
        if hop not in self._probes:
            self._probes[hop] = asyncio.create_task(_accepts(*hop))
        return await asyncio.shield(self._probes[hop])

    async def _open(self, say: Callable[[str], Awaitable[None]]) -> list[OperationsError]:
        await self._all_seen(say)
        concerned = {
            host: (connection, wanted)
            for host, (connection, wanted, changes) in self._seen.items()
            if changes is not False
        }
        if not concerned:
            return []
        await say(f"reaching {len(concerned)} hosts: {', '.join(sorted(concerned))}")
        reached = await asyncio.gather(
            *(self._reach(host, *concerned[host]) for host in sorted(concerned)), return_exceptions=True
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
        return sorted(host for host in self._first if self._seen.get(host, (None, None, None))[2] is None)


async def _accepts(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
