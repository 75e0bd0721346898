"""Which machines the twin has of those that are declared: fewer, and all that the change is about."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from stacks.model import AdoptedClusterSpec, Environment, Host, Node, NodeRole, RegionSpec

CONTROL_PLANES = 3
"""The most control-plane nodes of a region: with three, one may be lost, as with five."""
WORKERS = 2
"""The most workers of a region: with two, pods have somewhere else to be."""
EDGES = 1
STANDS_FOR_CLUSTER = "stand-in-1"
"""The end of the name of the one machine that stands for an adopted cluster."""


@dataclass(frozen=True)
class Crew:
    """The twin's machines."""

    regions: Mapping[str, tuple[str, ...]]
    """Names of machines by region, in the order in which they get their addresses."""
    differences: tuple[str, ...]
    """What is not as it is declared, in words."""

    def has(self, region: str, name: str) -> bool:
        """Whether the twin has that machine."""
        return name in self.regions.get(region, ())


def crew(declarations: Sequence[Environment], named: Collection[str] = ()) -> Crew:
    """Choose the machines: the same for all declarations, of which the last one is where the change leads.

    named: hosts that are there in any case, such as the one that a runbook is about. So is each that the
    declarations do not agree about.
    """
    regions: dict[str, tuple[str, ...]] = {}
    differences: list[str] = []
    names = dict.fromkeys(region for one in reversed(declarations) for region in one.regions)
    for region in names:
        specs = [one.regions[region] for one in declarations if region in one.regions]
        chosen, left_out = _of_region(region, specs, named)
        regions[region] = tuple(chosen)
        differences += left_out
    return Crew(regions, tuple(differences))


def _of_region(
    region: str, specs: Sequence[RegionSpec], named: Collection[str]
) -> tuple[list[str], list[str]]:
    hosts: dict[str, Host] = {name: host for spec in specs for name, host in sorted(spec.hosts.items())}
    wanted = {name for name in hosts if name in named}
    wanted |= {name for spec in specs for name in spec.gateway_nodes}
    wanted |= {name for name in hosts if _differs(name, specs)}
    chosen: list[str] = []
    left_out: list[str] = []
    for title, most, kind in _kinds(hosts):
        # Those that the change is about first, then the others by their names.
        order = sorted(kind, key=lambda name: (name not in wanted, name))
        taken = order[: max(most, len(wanted & {*kind}))]
        chosen += sorted(taken)
        if missing := sorted({*kind} - {*taken}):
            few = f"{len(taken)} of {len(kind)} {title}"
            left_out.append(f"region {region}: {few}; not there are {', '.join(missing)}")
    if any(isinstance(spec.cluster, AdoptedClusterSpec) for spec in specs):
        chosen.insert(0, f"{region}-{STANDS_FOR_CLUSTER}")
        left_out.append(f"region {region}: a cluster of one machine stands for the one that is adopted")
    return chosen, left_out


def _kinds(hosts: Mapping[str, Host]) -> Iterator[tuple[str, int, list[str]]]:
    of = {name: host.role if isinstance(host, Node) else None for name, host in hosts.items()}
    rows = (
        ("control-plane nodes", CONTROL_PLANES, NodeRole.CONTROL_PLANE),
        ("workers", WORKERS, NodeRole.WORKER),
        ("edge hosts", EDGES, None),
    )
    for title, most, role in rows:
        yield title, most, [name for name, its in of.items() if its == role]


def _differs(name: str, specs: Sequence[RegionSpec]) -> bool:
    """Whether the declarations do not all have that host, or not in one way."""
    found = [spec.hosts[name] for spec in specs if name in spec.hosts]
    # A region that comes or goes whole needs no more of its hosts than another.
    return len(found) < len(specs) or any(host != found[0] for host in found)
