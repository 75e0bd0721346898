"""The whole list of an environment, asked side by side, and what it ends with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from access.cluster import Cluster
from access.errors import AccessError
from access.paths import stack_file
from live.hardening import clusters, machines
from live.hardening.model import Entry, State
from live.hardening.points import POINTS
from live.state import State as Applied
from live.state import Way, read_stack, read_state
from report.errors import ConfigurationError
from report.exit_codes import ExitCode
from stacks.load import Stack

_ORDER = {point.number: index for index, point in enumerate(POINTS)}


def read(name: str, region: str | None = None) -> list[Entry]:
    """All points of a stack, or of one of its regions, sorted by region, place and number.

    Raises `ConfigurationError` for a bad stack file or a region that it does not declare, and what
    `read_state` raises; what cannot be looked at is in the list.
    """
    stack = read_stack(stack_file(name))
    declared = sorted(stack.environment.regions)
    if region is not None and region not in declared:
        raise ConfigurationError(
            f"stack {name!r} declares no region {region!r}; it has {', '.join(declared)}."
        )
    return look(stack, read_state(name), [region] if region else declared)


def look(stack: Stack, state: Applied, regions: Sequence[str]) -> list[Entry]:
    """The same, of a declaration and its state that were read already. regions: one at least."""
    ways = state.ways()
    with ThreadPoolExecutor(len(regions) + 1) as pool:
        hosts = pool.submit(machines.look, stack, regions)
        shown = [pool.submit(_cluster, stack, region, ways.get(region)) for region in regions]
        entries = [*hosts.result(), *(entry for answer in shown for entry in answer.result())]
    return sorted(entries, key=lambda entry: (entry.region, entry.at, _ORDER[entry.point.number]))


def _cluster(stack: Stack, region: str, way: Way | None) -> list[Entry]:
    if way is None:
        return clusters.unseen(region, "it was not brought up", f"run `pulumi up --stack {stack.name}`")
    adopted = stack.environment.regions[region].cluster.kind == "adopted"
    try:
        with Cluster(region, way.kubeconfig) as cluster:
            return clusters.look(cluster, adopted=adopted)
    except AccessError as error:
        return clusters.unseen(region, error.message, error.fix)


def summary(entries: Sequence[Entry]) -> str:
    """How many there are of each state."""
    counts = Counter(entry.state for entry in entries)
    return (
        f"{counts[State.HOLDS]} hold, {counts[State.FAILS]} do not, {counts[State.UNKNOWN]} not known, "
        f"{counts[State.NOT_APPLICABLE]} do not apply"
    )


def exit_code(entries: Sequence[Entry]) -> ExitCode:
    """What a list ends with: some point does not hold, or could not be looked at."""
    states = {entry.state for entry in entries}
    if State.FAILS in states:
        return ExitCode.UNHEALTHY
    return ExitCode.NOT_MEASURABLE if State.UNKNOWN in states else ExitCode.CLEAN
