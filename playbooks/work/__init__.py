"""Host work by column: which phases there are, and what each column does in them.

A column that is not named here has nothing to do on hosts: it lives in clusters alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from playbooks.phase import Host, Phase, Software, Work
from playbooks.work import applications, clusters, machines, mesh, names, network

COLUMNS = (machines, clusters, network, mesh, applications, names)


def _in_order(declared: Mapping[str, Phase]) -> dict[str, Phase]:
    """Each after what comes before it, and otherwise as declared."""
    ordered: dict[str, Phase] = {}

    def add(phase: Phase) -> None:
        for before in (*phase.after, *phase.awaits):
            add(declared[before])
        ordered.setdefault(phase.name, phase)

    for phase in declared.values():
        add(phase)
    return ordered


_WORK: tuple[Work, ...] = tuple(work for column in COLUMNS for work in column.WORK)
PHASES: Mapping[str, Phase] = _in_order({work.phase.name: work.phase for work in _WORK})
"""All phases by name, in the order in which a host goes through them."""


def work_on(host: Host) -> list[Work]:
    """All that is done to a host, by column."""
    return [work for work in _WORK if work.hosts(host)]


def software_of(host: Host) -> Software:
    """What the host needs for all that is done to it."""
    works = work_on(host)
    pinned = {name: version for work in works for name, version in work.pinned(host).items()}
    return Software(
        packages=tuple(sorted({package for work in works for package in work.packages})),
        pinned=dict(sorted(pinned.items())),
        bundles=tuple(sorted({bundle for work in works for bundle in work.bundles(host)})),
    )


def earlier(phase: Phase) -> tuple[str, ...]:
    """Names of the phases of the same host that come before a phase, in their order."""
    names: set[str] = set()
    due = list(phase.after)
    while due:
        name = due.pop()
        names.add(name)
        due += PHASES[name].after
    return tuple(name for name in PHASES if name in names)
