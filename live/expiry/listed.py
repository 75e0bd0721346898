"""The whole list of an environment, asked side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from access.paths import stack_file
from live import side_by_side
from live.expiry import clusters, machines, trust
from live.expiry.clusters import Renewers
from live.expiry.model import BROKEN, CLUSTER, Entry, State
from live.state import State as Applied
from live.state import read_stack, read_state
from report.exit_codes import ExitCode
from stacks.load import Stack


def read(name: str) -> list[Entry]:
    """All certificates and keys of a stack, sorted by region and place.

    Raises `ConfigurationError` for a bad stack file, and what `read_state` raises; what cannot be looked at
    is in the list.
    """
    stack = read_stack(stack_file(name))
    return look(stack, read_state(name))


def look(stack: Stack, state: Applied) -> list[Entry]:
    """The same, of a declaration and its state that were read already."""
    issued = trust.look(state, stack)
    known = renewers(issued)
    shown = side_by_side.of_platform(
        stack,
        state,
        sorted(stack.environment.regions),
        hosts=machines.look,
        cluster=lambda cluster, adopted: clusters.look(cluster, known, adopted=adopted),
        unseen=_unseen,
    )
    found = [*issued, *shown]
    return sorted(found, key=lambda entry: (entry.region, entry.at, entry.place))


def renewers(issued: Iterable[Entry]) -> Renewers:
    """Who renews what `up` has issued, by fingerprint."""
    return {entry.fingerprint: entry.renewed_by for entry in issued if entry.fingerprint}


def _unseen(region: str, why: str, fix: str) -> list[Entry]:
    """A cluster that cannot be asked."""
    return [Entry(region, CLUSTER, "", problem=why, fix=fix, seen=False)]


def exit_code(
    entries: Sequence[Entry], within: timedelta | None = None, now: datetime | None = None
) -> ExitCode:
    """What a list ends with: something is not valid or ends soon, or something could not be looked at."""
    states = {entry.state(now or datetime.now(UTC), within) for entry in entries}
    if states & (BROKEN | {State.SOON}):
        return ExitCode.UNHEALTHY
    return ExitCode.NOT_MEASURABLE if State.UNKNOWN in states else ExitCode.CLEAN
