"""The whole list of an environment, asked side by side, and what it ends with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from access.paths import stack_file
from live import side_by_side
from live.hardening import clusters, machines
from live.hardening.model import Entry, State
from live.hardening.points import POINTS
from live.state import State as Applied
from live.state import read_stack, read_state
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
    entries = side_by_side.of_platform(
        stack,
        state,
        regions,
        hosts=machines.look,
        cluster=lambda cluster, adopted: clusters.look(cluster, adopted=adopted),
        unseen=clusters.unseen,
    )
    return sorted(entries, key=lambda entry: (entry.region, entry.at, _ORDER[entry.point.number]))


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
