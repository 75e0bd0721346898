"""What lists of a whole environment share: hosts and clusters are looked at side by side, and none raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from access.cluster import Cluster
from access.errors import AccessError
from access.ssh import Connection
from live.state import State, Way
from stacks.load import Stack

PARALLEL = 16
"""Hosts that are looked at side by side."""
SECONDS = 20.0
"""For one host."""

Entry = TypeVar("Entry")
Asked = TypeVar("Asked")
Ask = Callable[[str, Connection], Any]
"""Gets what a host tells, by its name and the way to it. Raises `AccessError`."""


def of_hosts(read: Callable[[Asked], Iterable[Entry]], hosts: Sequence[Asked]) -> list[Entry]:
    """What is read of each host, in their order."""
    if not hosts:
        return []
    with ThreadPoolExecutor(min(PARALLEL, len(hosts))) as pool:
        return [entry for entries in pool.map(read, hosts) for entry in entries]


def of_platform(
    stack: Stack,
    state: State,
    regions: Sequence[str],
    *,
    hosts: Callable[[Stack, Sequence[str]], Iterable[Entry]],
    cluster: Callable[[Cluster, bool], Iterable[Entry]],
    unseen: Callable[[str, str, str], Iterable[Entry]],
) -> list[Entry]:
    """What hosts and clusters of some regions show.

    cluster: reads one, and is told whether it is adopted. unseen: what is listed of a region's cluster that
    cannot be asked, with why and how to mend that.
    """

    def one(region: str, way: Way | None) -> Iterable[Entry]:
        if way is None:
            return unseen(region, "it was not brought up", f"run `pulumi up --stack {stack.name}`")
        try:
            with Cluster(region, way.kubeconfig) as opened:
                return cluster(opened, stack.environment.regions[region].cluster.kind == "adopted")
        except AccessError as error:
            return unseen(region, error.message, error.fix)

    ways = state.ways()
    with ThreadPoolExecutor(len(regions) + 1) as pool:
        of_machines = pool.submit(hosts, stack, regions)
        shown = [pool.submit(one, region, ways.get(region)) for region in regions]
        return [*of_machines.result(), *(entry for answer in shown for entry in answer.result())]
