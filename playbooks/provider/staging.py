"""What hosts are given before the first of them is interrupted: images that all of them need at once.

An upgrade of a control plane brings kube-proxy and CoreDNS of its release to every node of the cluster. Where
images come in bundles, a node without them would lose both until its own turn. So the first host that waits
for its turn has all hosts staged, whether or not the engine has brought them yet: all differences are known
by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from report.errors import OperationsError

Say = Callable[[str], Awaitable[None]]
Stage = Callable[[], Awaitable[None]]
"""Raises OperationsError."""


class Staging:
    """The hosts of this run that are given something ahead of their turns."""

    def __init__(self) -> None:
        self._due: dict[str, Stage] = {}
        self._gate: asyncio.Task[list[OperationsError]] | None = None

    def expect(self, host: str, stage: Stage) -> None:
        """Take note of a host, and of what stages it."""
        self._due.setdefault(host, stage)

    async def open(self, host: str, say: Say) -> None:
        """Return when all hosts have what they need. Raises OperationsError: once with all failures, then
        that the host was not begun."""
        is_first = self._gate is None
        if self._gate is None:
            if not self._due:
                return
            self._gate = asyncio.create_task(self._stage_all(say))
        elif not self._gate.done():
            await say("waiting until all hosts have the images that they need")
        failures = await asyncio.shield(self._gate)
        if not failures:
            return
        if not is_first:
            raise OperationsError(
                f"{host}: not begun, because not all hosts have their images; see the report"
            )
        report = ["nothing was interrupted, because not all hosts have their images", *map(str, failures)]
        raise OperationsError("\n- ".join(report))

    async def _stage_all(self, say: Say) -> list[OperationsError]:
        hosts = sorted(self._due)
        await say(
            f"giving {len(hosts)} hosts their images before the first is interrupted: {', '.join(hosts)}"
        )
        ended = await asyncio.gather(*(self._due[host]() for host in hosts), return_exceptions=True)
        for answer in ended:
            if isinstance(answer, BaseException) and not isinstance(answer, OperationsError):
                raise answer
        return [answer for answer in ended if isinstance(answer, OperationsError)]
