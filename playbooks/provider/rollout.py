"""Whose turn it is: hosts that something runs on are changed batch by batch, and no more after a failure.

The engine brings updates of many hosts at once, in any order, and takes a failed one for no reason to hold
back others. So an update that interrupts what runs waits here for its batch. What is made for the first time
waits for nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from playbooks.rolling import Wave, batches
from report.errors import CancelledError, OperationsError

PATIENCE = 30.0
"""Seconds without anybody at work after which a batch that the engine does not bring is passed over: it may
have been left out (`--target`), or the engine's own slots may be full of others that wait here."""
_POLL = 1.0

Say = Callable[[str], Awaitable[None]]


class Rollout:
    """The turns of one run."""

    def __init__(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        """cancelled: whether nobody wants the run any more."""
        self._cancelled = cancelled
        self._waves: Sequence[Wave] = ()
        self._open: dict[str, set[str]] = {}
        """By host, phases that may still interrupt it in this run."""
        self._changing: set[str] = set()
        """Hosts that are interrupted in this run."""
        self._batch: tuple[str, ...] = ()
        self._waiting: list[str] = []
        self._working: list[str] = []
        self._idle_since = time.monotonic()
        self._failed = ""
        self._news = asyncio.Condition()

    def declare(self, waves: Sequence[Wave], phases: Mapping[str, Sequence[str]]) -> None:
        """Take over the order of hosts, and by host the phases that interrupt what runs on it."""
        if not self._waves:
            self._waves = waves
            self._open = {host: set(names) for host, names in phases.items()}

    def expect(self, host: str, phase: str) -> None:
        """Take note that a phase will want a turn."""
        self._open.setdefault(host, set()).add(phase)
        self._changing.add(host)

    def settle(self, host: str, phase: str) -> None:
        """Take note that a phase wants no turn, or wants none any more."""
        self._open.get(host, set()).discard(phase)

    @asynccontextmanager
    async def turn(self, host: str, phase: str, say: Say) -> AsyncIterator[None]:
        """Hold a turn. Raises OperationsError once another one has failed, and CancelledError."""
        self.expect(host, phase)
        await self._wait(host, say)
        try:
            yield
        except BaseException:
            self._failed = self._failed or f"{host} {phase}"
            raise
        finally:
            self._working.remove(host)
            self._idle_since = time.monotonic()
            self.settle(host, phase)
            async with self._news:
                self._news.notify_all()

    async def _wait(self, host: str, say: Say) -> None:
        if not self._waiting and not self._working:
            self._idle_since = time.monotonic()
        self._waiting.append(host)
        said: tuple[str, ...] = ()
        try:
            while not self._may(host):
                if said != (said := self._batch):
                    await say(f"waits for its turn: {', '.join(said)} first, and seen to be well")
                # A phase that turns out to change nothing, or a cancellation, wakes nobody.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_POLL), self._news:
                        await self._news.wait()
            self._working.append(host)
        finally:
            self._waiting.remove(host)

    def _may(self, host: str) -> bool:
        if self._cancelled():
            raise CancelledError(f"{host}: cancelled before its turn came")
        if self._failed:
            msg = (
                f"{host}: not begun, because {self._failed} did not end well: nothing further is interrupted"
            )
            raise OperationsError(msg, fix="mend that, and run again")
        if not self._working and not any(self._open.get(each) for each in self._batch):
            self._batch = next(iter(batches(self._waves, self._unfinished())), (host,))
        idle = not self._working and not set(self._batch) & set(self._waiting)
        if idle and time.monotonic() - self._idle_since > PATIENCE:
            self._batch = next(iter(batches(self._waves, set(self._waiting))), (host,))
        return host in self._batch

    def _unfinished(self) -> set[str]:
        return {host for host in self._changing if self._open.get(host)}
