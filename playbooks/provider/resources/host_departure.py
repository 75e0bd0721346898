"""How a phase is undone on its host: a node leaves its cluster before, and a lost machine is left alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from access.cluster import Cluster
from access.errors import Unanswered
from playbooks.phase import LOST_HOSTS, Needs, Phase
from playbooks.provider import runs
from playbooks.provider.membership import Leaving
from playbooks.provider.resources import host_runs
from playbooks.provider.resources.base import Operation
from playbooks.provider.resources.out_of_service import leaving_of
from playbooks.provider.values import Properties
from playbooks.work import PHASES
from report.errors import OperationsError

ANSWER_SECONDS, POLL_SECONDS = 60.0, 2.0
"""For so long a node that leaves waits for its cluster to answer, and from one question to the next."""
T = TypeVar("T")


@dataclass(frozen=True)
class Departure:
    """One phase of one host on its way out."""

    operation: Operation
    inputs: Properties
    state: Properties

    @property
    def host(self) -> str:
        return str(self.state["host"])

    @property
    def region(self) -> str:
        return self.state.get("region") or ""

    @property
    def phase(self) -> Phase:
        return PHASES[self.state["phase"]]

    @property
    def cluster_stays(self) -> bool:
        """Whether the declaration has the host's cluster still."""
        return self.region in self.operation.context.clusters

    @property
    def timeout(self) -> float:
        return self.operation.timeout or host_runs.RUN_TIMEOUT

    async def way(self) -> str | None:
        """The kubeconfig by which the cluster is asked that the host leaves: it may be reached elsewhere than
        when the host was declared last. None where nobody is to be asked."""
        ways, given = self.operation.context.ways, self.inputs.get("kubeconfig")
        return given and await ways.into(self.region, ways.declared(self.region, given))

    async def take_place(self) -> None:
        """Undo the phase. Raises OperationsError: what is left says its message."""
        if self.host in lost_hosts():
            await self._give_up()
            return
        kubeconfig = await self.way() if self.phase.undo.needs is Needs.CLUSTER_ACCESS else None
        # With the last control plane of a cluster there is nobody left to ask.
        if kubeconfig is None or (self.phase.carries_cluster and not self.cluster_stays):
            await self._reset(self.timeout)
            return
        if self.cluster_stays:
            await host_runs.hold(self.operation, self.state)
        # The engine takes out at once what does not rest on each other; etcd lets go of one member at a time.
        leaving_in_turn = self.operation.context.leaving
        alone = leaving_in_turn[self.region] if self.phase.carries_cluster else contextlib.nullcontext()
        async with alone:
            with Cluster(self.region, kubeconfig) as cluster:
                leaving = leaving_of(self.operation, cluster, self.host)
                is_asked = await self._leave(leaving, self.timeout / 2)
                await self._reset(self.timeout / 2)
                # A kubelet that was restarted before its reset has made the object again.
                if is_asked:
                    await self._answered(leaving.remove)

    async def _give_up(self) -> None:
        """Have a host go whose machine is lost. Raises OperationsError for one that answers, or is a node."""
        host, kubeconfig = self.host, await self.way()
        if await self.operation.context.fleet.probe(host_runs.connection_of(self.state)):
            msg = f"{host}: it is named in {LOST_HOSTS}, and its sshd answers"
            raise OperationsError(msg, fix=f"take it out of {LOST_HOSTS}: it is reset then")
        if self.phase.membership and kubeconfig and self.cluster_stays:
            with Cluster(self.region, kubeconfig) as cluster:
                if await leaving_of(self.operation, cluster, host).is_member():
                    msg = f"{host}: it is named in {LOST_HOSTS}, and is a node of its cluster still"
                    fix = f"clear its place first: crossmesh runbook run clear-lost-node node={host}"
                    raise OperationsError(msg, fix=fix)
        text = f"{host} {self.state['phase']}: its machine is lost, and nothing was reset there"
        await self.operation.warning(text)

    async def _leave(self, leaving: Leaving, seconds: float) -> bool:
        """Take the node out of its cluster. Returns whether the cluster was there to be asked."""
        host, operation = self.host, self.operation
        try:
            is_member = await self._answered(leaving.is_member)
            if is_member:
                await self._answered(leaving.cordon)
                if ending := await self._answered(lambda: leaving.drain(seconds)):
                    text = f"{host}: no other node takes pods; {len(ending)} end with it: {', '.join(ending)}"
                    await operation.warning(text)
            if self.phase.undo.leaves_etcd:
                await self._withdraw(seconds)
            if is_member:
                await self._answered(leaving.remove)
                await operation.info(f"{host}: drained, and no node any more")
        except Unanswered as exc:
            if not self.cluster_stays:
                await operation.warning(f"{host}: reset without its cluster: {exc}")
                return False
            msg = f"{host}: it cannot leave its cluster, and was not reset: {exc.message}"
            fix = (
                "bring the API server back and run again; or, when the cluster is given up, take its region "
                "out of the declaration, or destroy the stack"
            )
            raise OperationsError(msg, fix=fix) from exc
        return True

    async def _withdraw(self, seconds: float) -> None:
        """Take the host's member out of etcd. Raises OperationsError: the host is a member of its cluster."""
        host = self.host
        try:
            await self._undo(seconds, withdraws=True)
        except OperationsError as exc:
            msg = f"{exc.message}; {host} was not taken out of etcd, and stays a node, cordoned"
            fix = (
                f"mend that and run again; to keep it, declare it again and `kubectl uncordon {host}`. When "
                f"its machine is lost: crossmesh runbook run clear-lost-node node={host}"
            )
            raise OperationsError(msg, fix=fix) from exc

    async def _reset(self, seconds: float) -> None:
        try:
            await self._undo(seconds)
        except OperationsError as exc:
            msg = f"{exc.message}; the reset of {self.host} {self.state['phase']} was not finished"
            fix = (
                "mend the host and run again; or, when its machine is lost, crossmesh runbook run "
                f"clear-lost-node node={self.host}, and run again with {LOST_HOSTS}={self.host}"
            )
            raise OperationsError(msg, fix=fix) from exc

    async def _undo(self, seconds: float, *, withdraws: bool = False) -> None:
        connection, undo = host_runs.connection_of(self.state), self.phase.undo
        request = runs.request_for(self.state, connection, seconds, undo=undo, withdraws=withdraws)
        await host_runs.run(replace(self.operation, timeout=seconds), self.state, request)

    async def _answered(self, step: Callable[[], Awaitable[T]]) -> T:
        """Take a step in a cluster, and again while that does not answer: its address may just pass on to
        another control plane. Raises the last Unanswered, at once where the cluster goes too.
        """
        silent_since: float | None = None
        while True:
            began = time.monotonic()
            try:
                return await step()
            except Unanswered as exc:
                now = time.monotonic()
                # Who was at it for long was answered in between.
                if silent_since is None or now - began > ANSWER_SECONDS:
                    silent_since = now
                if not self.cluster_stays or now - silent_since > ANSWER_SECONDS:
                    raise
                await self.operation.status(f"{self.host}: {exc.message}")
            await asyncio.sleep(POLL_SECONDS)


def lost_hosts() -> set[str]:
    """The hosts whose machines are lost, as the operator says."""
    return {name.strip() for name in os.environ.get(LOST_HOSTS, "").split(",")} - {""}
