"""The whole list of an environment, asked side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from access.cluster import Cluster
from access.errors import AccessError
from access.paths import stack_file
from live.expiry import clusters, machines, trust
from live.expiry.clusters import Renewers
from live.expiry.model import BROKEN, CLUSTER, Entry, State
from live.state import State as Applied
from live.state import Way, read_stack, read_state
from report.exit_codes import ExitCode
from stacks.load import Stack

_NOT_UP = "it was not brought up"


def read(name: str) -> list[Entry]:
    """All certificates and keys of a stack, sorted by region and place.

    Raises `ConfigurationError` for a bad stack file, and what `read_state` raises; what cannot be looked at
    is in the list.
    """
    stack = read_stack(stack_file(name))
    return look(stack, read_state(name))


def look(stack: Stack, state: Applied) -> list[Entry]:
    """The same, of a declaration and its state that were read already."""
    issued, ways = trust.look(state), state.ways()
    regions = sorted(stack.environment.regions)
    with ThreadPoolExecutor(len(regions) + 1) as pool:
        hosts = pool.submit(machines.look, stack, regions)
        shown = [
            pool.submit(_cluster, stack, region, ways.get(region), renewers(issued)) for region in regions
        ]
        found = [*issued, *hosts.result(), *(entry for answer in shown for entry in answer.result())]
    return sorted(found, key=lambda entry: (entry.region, entry.at, entry.place))


def renewers(issued: Iterable[Entry]) -> Renewers:
    """Who renews what `up` has issued, by fingerprint."""
    return {entry.fingerprint: entry.renewed_by for entry in issued if entry.fingerprint}


def _cluster(stack: Stack, region: str, way: Way | None, issued: Renewers) -> list[Entry]:
    if way is None:
        fix = f"run `pulumi up --stack {stack.name}`"
        return [Entry(region, CLUSTER, "", problem=_NOT_UP, fix=fix, seen=False)]
    adopted = stack.environment.regions[region].cluster.kind == "adopted"
    try:
        with Cluster(region, way.kubeconfig) as cluster:
            return clusters.look(cluster, issued, adopted=adopted)
    except AccessError as error:
        return [Entry(region, CLUSTER, "", problem=error.message, fix=error.fix, seen=False)]


def exit_code(
    entries: Sequence[Entry], within: timedelta | None = None, now: datetime | None = None
) -> ExitCode:
    """What a list ends with: something is not valid or ends soon, or something could not be looked at."""
    states = {entry.state(now or datetime.now(UTC), within) for entry in entries}
    if states & (BROKEN | {State.SOON}):
        return ExitCode.UNHEALTHY
    return ExitCode.NOT_MEASURABLE if State.UNKNOWN in states else ExitCode.CLEAN
