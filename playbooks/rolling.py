"""In which order hosts are changed that something runs on: for the gate, which shows it, and for `up`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playbooks.work.clusters import CONTROL_PLANE

if TYPE_CHECKING:
    from playbooks.inventory import HostPlan
    from stacks.model import Environment


@dataclass(frozen=True)
class Wave:
    """Hosts that are alike to those who need them, and come after those of the waves before."""

    hosts: tuple[str, ...]
    """Names, in their order."""
    at_once: int
    """So many of them may be out at the same time."""


def waves(plans: Mapping[str, HostPlan], environment: Environment) -> list[Wave]:
    """All hosts: region after region, of each its control plane, its other nodes, its edges one by one.

    Control-plane nodes go one by one, in the order in which they have joined: their updates follow each other
    in the graph too, so that a node which joins finds those before it as they are to be.
    """
    found: list[Wave] = []
    for region, spec in sorted(environment.regions.items()):
        own = {name: plan for name, plan in sorted(plans.items()) if plan.region == region}
        made = [name for name, plan in own.items() if CONTROL_PLANE in plan.phases]
        first = tuple(sorted(made, key=lambda name: own[name].seniority))
        edges = tuple(name for name in own if name in spec.edges)
        others = tuple(name for name in own if name not in (*first, *edges))
        at_once = spec.cluster.max_unavailable if spec.cluster.kind == "bareMetal" else 1
        found += [Wave(first, 1), Wave(others, at_once), Wave(edges, 1)]
    return [wave for wave in found if wave.hosts]


def batches(order: Iterable[Wave], changing: Collection[str]) -> list[tuple[str, ...]]:
    """The hosts that change, in the groups in which they do: a group begins when the one before is well."""
    found = []
    for wave in order:
        hosts = [host for host in wave.hosts if host in changing]
        found += [tuple(hosts[at : at + wave.at_once]) for at in range(0, len(hosts), wave.at_once)]
    return found
