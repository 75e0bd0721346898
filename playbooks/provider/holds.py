"""The regions that this run holds while it changes their nodes: runbooks are refused there meanwhile, and it
is where a runbook of somebody else is at work.

One connection to each host of the region's control plane, made just before the first of its nodes is changed:
a run with nothing to do makes none. What hangs on it is given back when this process ends, however.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from access import host_lock, ssh
from access.errors import AccessError, Unanswered
from access.host_lock import Pass
from access.ssh import Connection
from playbooks.work import PHASES
from report.errors import LockedError, OperationsError

ANSWER_SECONDS = 3.0 * ssh.CONNECT_TIMEOUT
"""For a login, and the answer of the lock."""
RETRY_SECONDS = 2.0
"""From one connection that could not be made to the next."""

Say = Callable[[str], Awaitable[None]]


class HostHold:
    """The lock on one host of a control plane, kept alive by this object's connection."""

    def __init__(self, host: str, connection: Connection, run: str, follows: int = 0) -> None:
        """follows: number of the lock there that a runbook holds, which drives this run; 0 to take it."""
        self.host = host
        self.number = follows
        self.before: Mapping[str, Any] = {}
        """Who held it, and did not give it back."""
        self.lost: LockedError | None = None
        self.heard = 0.0
        """When the lock was seen last, by this machine's monotonic clock."""
        self._connection = connection
        self._run = run
        self._follows = bool(follows)
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def take(self) -> None:
        """Take it, or see that the runbook has it. Raises LockedError, and AccessError."""
        answer = await self._connect("follow" if self._follows else "take")
        if not answer["held"]:
            self.let_go()
            refused = host_lock.lost if self._follows else host_lock.refusal
            raise refused(self.host, answer)
        self.number, self.before = answer["number"], answer.get("before") or {}
        self._keeper = asyncio.create_task(self._keep())

    def let_go(self) -> None:
        """Close the connection: the host gives the lock back."""
        if self._keeper:
            self._keeper.cancel()
        if self._process and self._process.stdin:
            self._process.stdin.close()

    async def _keep(self) -> None:
        while self.lost is None:
            await self._pause()
            # Silence that lasts counts as a loss, by whoever asks; until then it is tried again.
            with contextlib.suppress(AccessError):
                answer = await self._beat()
                if not answer["held"]:
                    self.lost = host_lock.lost(self.host, answer)

    async def _pause(self) -> None:
        """Until the next heartbeat, or until the connection breaks: the host then has the lock given back."""
        process = self._process
        if process is None or process.returncode is not None:
            await asyncio.sleep(min(RETRY_SECONDS, host_lock.BEAT))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(host_lock.BEAT):
                await process.wait()

    async def _beat(self) -> dict[str, Any]:
        process = self._process
        if process and process.returncode is None and process.stdin:
            with contextlib.suppress(ConnectionError, Unanswered):
                process.stdin.write(b".\n")
                await process.stdin.drain()
                return await self._answer(process)
        return await self._connect("follow" if self._follows else "keep")

    async def _connect(self, do: str) -> dict[str, Any]:
        """A new connection on which the lock is taken or kept; what the host answers first."""
        connection = self._connection
        ssh.check_files(self.host, connection)
        if self._process and self._process.stdin:
            self._process.stdin.close()
        # Another holder each time: what may be left of the connection before this one gives nothing back.
        holder, number = host_lock.holder(), self.number
        order = host_lock.order(do, self._run, holder, number, host_lock.UP, heeds_plays=False)
        order |= {"stays": True, "again": do == "keep"}
        process = self._process = await asyncio.create_subprocess_exec(
            *("ssh", *ssh.options(connection), "-T", connection.address, ssh.python(connection)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Ctrl-C is for the engine: the lock is held until the runs that it ends have ended.
            start_new_session=True,
        )
        assert process.stdin
        script = ssh.script(connection, host_lock.SCRIPT.read_bytes())
        with contextlib.suppress(ConnectionError):
            process.stdin.write(script + json.dumps(order).encode() + b"\n")
            await process.stdin.drain()
        return await self._answer(process)

    async def _answer(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        assert process.stdout and process.stderr
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                async for line in process.stdout:
                    # What the login itself says comes before.
                    with contextlib.suppress(ValueError):
                        if "held" in (answer := json.loads(line)):
                            self.heard = time.monotonic()
                            return dict(answer)
                errors = (await process.stderr.read()).decode(errors="replace")
                raise ssh.failure(self.host, self._connection, await process.wait(), errors)
        except TimeoutError:
            process.kill()
            msg = f"{self.host}: {self._connection.address} accepts connections, but its lock does not answer"
            raise Unanswered(msg, fix="look at the host's load and disk, and at its sshd") from None


class RegionHold:
    """The locks on the hosts of one control plane: on all that answer, and on more than half of all."""

    def __init__(self, region: str, hosts: Sequence[HostHold]) -> None:
        self._region = region
        self._hosts = sorted(hosts, key=lambda hold: hold.host)
        self._taken: list[HostHold] = []

    async def take(self) -> list[str]:
        """Take them; what is to be known of it. Raises LockedError, and Unanswered where too many are
        silent."""
        said, silent = [], []
        try:
            # One after the other, as runbooks do: two who want the same ones do not hold off each other.
            for hold in self._hosts:
                try:
                    await hold.take()
                except AccessError as error:
                    silent.append(error)
                    said.append(f"held without {hold.host}: {error.message}")
                    continue
                self._taken.append(hold)
                if hold.before:
                    said.append(f"{hold.host} was held for {host_lock.left_by(hold.before)}")
            if len(self._taken) < self._needed:
                words = "; ".join(error.message for error in silent)
                raise Unanswered(
                    f"whether a runbook works in {self._region} cannot be said, since more than half of its "
                    f"control plane could not be asked: {words}",
                    fix=silent[0].fix or "bring them back first",
                )
        except BaseException:
            self.let_go()
            raise
        return said

    def require(self) -> None:
        """Raise LockedError once the locks are another's, or were not heard of for as long as they live."""
        if lost := next((hold.lost for hold in self._taken if hold.lost), None):
            raise lost
        now = time.monotonic()
        heard = [hold for hold in self._taken if now - hold.heard < host_lock.SECONDS]
        if len(heard) < self._needed:
            raise host_lock.lost(next(hold.host for hold in self._taken if hold not in heard), {})

    def number(self, host: str) -> int:
        """That of the lock on a host; 0 where none is held."""
        return next((hold.number for hold in self._taken if hold.host == host), 0)

    def let_go(self) -> None:
        """Give them back."""
        for hold in self._taken:
            hold.let_go()

    @property
    def _needed(self) -> int:
        return len(self._hosts) // 2 + 1


class Holds:
    """The regions of one run of the engine."""

    def __init__(self) -> None:
        self._run = f"up-{secrets.token_hex(4)}"
        self._phases: Mapping[str, Sequence[str]] = {}
        self._carriers: dict[str, dict[str, Connection]] = {}
        """By region, the hosts of its control plane that this run brings."""
        self._concerned: set[str] = set()
        """Regions of which a node changes."""
        self._gates: dict[str, asyncio.Task[RegionHold | None]] = {}
        self._holds: dict[str, RegionHold] = {}
        self._told: set[str] = set()

    def declare(self, phases: Mapping[str, Sequence[str]]) -> None:
        """Take over which hosts there are, with the names of their phases."""
        self._phases = dict(phases)

    def saw(self, region: str, host: str, connection: Connection, *, changes: bool | None) -> None:
        """Take note of a phase of a host. changes: None until its difference was asked for."""
        if self.carries(host):
            self._carriers.setdefault(region, {})[host] = connection
        if changes and self.is_node(host):
            self._concerned.add(region)

    def carries(self, host: str) -> bool:
        """Whether a declared host is one of a control plane."""
        return any(PHASES[phase].carries_cluster for phase in self._phases.get(host, ()))

    def is_node(self, host: str) -> bool:
        """Whether a declared host is a node. No runbook works on the others, edges: whoever brings names away
        from a region whose control plane is silent waits for nobody."""
        return any(PHASES[phase].membership for phase in self._phases.get(host, ()))

    async def open(self, region: str, say: Say, warn: Say) -> None:
        """Return once this run holds the region, and all others of which a node is known to change. Raises
        OperationsError: once why it cannot be, then that a change was not begun.
        """
        regions = sorted({region, *self._concerned})
        for each in regions:
            if each not in self._gates:
                self._gates[each] = asyncio.create_task(self._take(each, say, warn))
        gates = [asyncio.shield(self._gates[each]) for each in regions]
        failures = []
        for each, answer in zip(regions, await asyncio.gather(*gates, return_exceptions=True), strict=True):
            if isinstance(answer, OperationsError):
                failures.append((each, answer))
            elif isinstance(answer, BaseException):
                raise answer
        if not failures:
            return
        news = [(each, error) for each, error in failures if each not in self._told]
        self._told |= {each for each, _ in failures}
        if news:
            raise OperationsError("no node was changed: " + "\n".join(str(error) for _, error in news))
        held = ", ".join(each for each, _ in failures)
        raise OperationsError(f"not begun, because {held} could not be held for it; see the report")

    def shown(self, region: str, host: str) -> dict[str, Any]:
        """What a run on a host shows to the lock there: the run that holds the region, and the number of its
        lock on this host. Raises LockedError once the region is held no more.
        """
        hold = self._holds.get(region)
        if hold is None:
            return {}
        hold.require()
        return {"run": self._runs(region), "number": hold.number(host)}

    def hang_up(self) -> None:
        """Give back all that is held."""
        for hold in self._holds.values():
            hold.let_go()

    async def _take(self, region: str, say: Say, warn: Say) -> RegionHold | None:
        carriers = self._carriers.get(region, {})
        if not carriers:
            # None is known at a destroy, which runs no program: there each host's own lock is all there is.
            if self._phases and region:
                await warn(
                    f"{region}: whether a runbook works there is looked at on the hosts alone that change, "
                    "since this run brings none of its control plane (--target)"
                )
            return None
        await say(f"holding {', '.join(sorted(carriers))} off runbooks")
        given, run = self._given(), self._runs(region)
        hold = RegionHold(
            region,
            [
                HostHold(host, connection, run, given.numbers.get(host, 0) if given else 0)
                for host, connection in carriers.items()
            ],
        )
        for words in await hold.take():
            await warn(f"{region}: {words}")
        self._holds[region] = hold
        return hold

    def _runs(self, region: str) -> str:
        """The run that holds a region: this one, or the runbook's that drives it."""
        given = self._given()
        return given.run if given and self._is_given(region, given.numbers) else self._run

    def _is_given(self, region: str, hosts: Iterable[str]) -> bool:
        return not self._carriers.get(region, {}).keys().isdisjoint(hosts)

    @staticmethod
    def _given() -> Pass | None:
        text = os.environ.get(host_lock.PASS)
        return Pass.from_json(text) if text else None
