"""Host work by column: which phases there are, and what each column does in them.

A column that is not named here has nothing to do on hosts: it lives in clusters alone.
"""

from __future__ import annotations

from playbooks.phase import Host, Phase, Software, Work
from playbooks.work import applications, clusters, machines, mesh, names, network

COLUMNS = (machines, network, clusters, mesh, applications, names)
_WORK: tuple[Work, ...] = tuple(work for column in COLUMNS for work in column.WORK)
PHASES: dict[str, Phase] = {work.phase.name: work.phase for work in _WORK}
"""All phases by name, in the order in which a host goes through them, which is that of the columns."""


def quiet(phase: str) -> frozenset[str]:
    """Names of a phase's role variables of which nothing that runs on the host notices a change."""
    return frozenset(name for work in _WORK if work.phase.name == phase for name in work.quiet)


def grows(phase: str) -> frozenset[str]:
    """Names of a phase's role variables, mappings, of which nothing that runs notices an entry more."""
    return frozenset(name for work in _WORK if work.phase.name == phase for name in work.grows)


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
        replaces=tuple(sorted({package for work in works for package in work.replaces})),
    )


def earlier(phase: Phase) -> tuple[str, ...]:
    """Names of the phases of the same host that come before a phase, in their order."""
    before = set(phase.after)
    for name in reversed(PHASES):
        if name in before:
            before |= {*PHASES[name].after}
    return tuple(name for name in PHASES if name in before)
