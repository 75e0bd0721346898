"""The address ledger: who has which slice of the environment's pools.

Pure functions on plain values. Slices are handed out in the order of names, each the lowest that is free, so
the result does not depend on the order of a declaration. An entry is never moved and never removed: the slice
of a cluster or node that is no longer declared stays reserved until a person deletes its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from pydantic import Field

from stacks.model import AdoptedClusterSpec, BareMetalClusterSpec, Environment, Label, Model
from stacks.model.base import Network


class Slices(Model):
    """One cluster's slices of the pod pool and of the service pool."""

    pods: Network = Field(description="the cluster's slice of the pod pool")
    services: Network = Field(description="the cluster's slice of the service pool")


class Ledger(Model):
    """The slices of bare-metal clusters and their nodes; adopted clusters bring ranges of their own."""

    clusters: dict[Label, Slices] = Field(default={}, description="slices of each region's cluster")
    nodes: dict[Label, dict[Label, Network]] = Field(
        default={}, description="each node's slice of its cluster's pods, by region and node"
    )


@dataclass(frozen=True)
class Missing:
    """A declared cluster (`node` is None) or node without an entry."""

    region: str
    node: str | None

    @property
    def owner(self) -> str:
        """In words."""
        what = f"node '{self.node}'" if self.node else "cluster"
        return f"{what} of region '{self.region}'"

    def __str__(self) -> str:
        return self.owner


@dataclass(frozen=True)
class Proposal(Missing):
    """The slices that a missing cluster (`pods` and `services`) or node (`pods`) would get."""

    pods: IPv4Network
    services: IPv4Network | None = None

    def __str__(self) -> str:
        if self.node:
            return f"`nodes.{self.region}.{self.node}: {self.pods}`"
        return f"`clusters.{self.region}: {{pods: {self.pods}, services: {self.services}}}`"


@dataclass(frozen=True)
class Retired(Missing):
    """An entry of a cluster (`node` is None) or node that is declared no longer; its slice stays reserved."""

    slices: tuple[IPv4Network, ...]

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.slices))}: reserved for the retired {self.owner}"


class PoolExhausted(Exception):
    """A pool has no free slice left: says which, and how many are needed."""

    def __init__(self, gap: Missing, pool: IPv4Network, prefix: int, taken: int, needed: int) -> None:
        self.region, self.node, self.pool = gap.region, gap.node, pool
        self._prefix, self._wanted = prefix, taken + needed
        self._holds = 2 ** max(0, prefix - pool.prefixlen)
        super().__init__(
            f"{pool} holds {self._holds} slices of /{prefix}, {taken} are taken, {needed} more are needed"
        )

    def larger_pool(self) -> int:
        """The prefix length of a pool that would hold what is taken and what is needed."""
        wanted = max(self._holds + 1, self._wanted)
        return max(0, self._prefix - int(wanted - 1).bit_length())


def declared_nodes(environment: Environment) -> dict[str, tuple[str, ...]]:
    """The nodes that need a slice: names by region, bare-metal regions only, all sorted."""
    return {
        name: tuple(sorted(region.cluster.nodes))
        for name, region in sorted(environment.regions.items())
        if isinstance(region.cluster, BareMetalClusterSpec)
    }


def missing(environment: Environment, ledger: Ledger) -> tuple[Missing, ...]:
    """What is declared and has no entry, sorted; a region's cluster before its nodes."""
    gaps: list[Missing] = []
    for region, nodes in declared_nodes(environment).items():
        if region not in ledger.clusters:
            gaps.append(Missing(region, None))
        gaps += [Missing(region, node) for node in nodes if node not in ledger.nodes.get(region, {})]
    return tuple(gaps)


def retired(environment: Environment, ledger: Ledger) -> tuple[Retired, ...]:
    """Entries that nothing declared owns, sorted: clusters before nodes."""
    declared = declared_nodes(environment)
    clusters = [
        Retired(region, None, (slices.pods, slices.services))
        for region, slices in sorted(ledger.clusters.items())
        if region not in declared
    ]
    nodes = [
        Retired(region, node, (slice_,))
        for region, entries in sorted(ledger.nodes.items())
        for node, slice_ in sorted(entries.items())
        if node not in declared.get(region, ())
    ]
    return (*clusters, *nodes)


def propose(environment: Environment, ledger: Ledger) -> tuple[Proposal, ...]:
    """The slices that what is missing would get, in the order of `missing`. Raises `PoolExhausted`."""
    full = assign(environment, ledger)
    return tuple(
        Proposal(gap.region, gap.node, full.nodes[gap.region][gap.node])
        if gap.node
        else Proposal(gap.region, None, full.clusters[gap.region].pods, full.clusters[gap.region].services)
        for gap in missing(environment, ledger)
    )


def assign(environment: Environment, ledger: Ledger) -> Ledger:
    """The ledger with an entry for everything that is declared; entries that exist are kept as they are.

    Raises `PoolExhausted` when a pool, or a cluster's slice, has no room for what is missing.
    """
    sizes, declared = environment.addresses, declared_nodes(environment)
    clusters = dict(ledger.clusters)
    nodes = {region: dict(entries) for region, entries in ledger.nodes.items()}
    foreign = list(_foreign(environment))
    for region, names in declared.items():
        if region not in clusters:
            new = len(declared.keys() - clusters.keys())
            stray = [slice_ for entries in nodes.values() for slice_ in entries.values()]
            pods = [*foreign, *(slices.pods for slices in clusters.values()), *stray]
            services = [*foreign, *(slices.services for slices in clusters.values())]
            gap = Missing(region, None)
            clusters[region] = Slices(
                pods=_cut(gap, sizes.pod_pool, sizes.pod_prefix_cluster, pods, len(clusters), new),
                services=_cut(
                    gap, sizes.service_pool, sizes.service_prefix_cluster, services, len(clusters), new
                ),
            )
        entries, pool = nodes.setdefault(region, {}), clusters[region].pods
        for name in names:
            if name not in entries:
                taken = [slice_ for others in nodes.values() for slice_ in others.values()]
                new = len(set(names) - entries.keys())
                gap = Missing(region, name)
                entries[name] = _cut(gap, pool, sizes.pod_prefix_node, taken, len(entries), new)
    return Ledger(
        clusters=dict(sorted(clusters.items())),
        nodes={region: dict(sorted(entries.items())) for region, entries in sorted(nodes.items()) if entries},
    )


def _cut(
    gap: Missing, pool: IPv4Network, prefix: int, taken: Iterable[IPv4Network], entries: int, needed: int
) -> IPv4Network:
    slice_ = free_slice(pool, prefix, taken)
    if slice_ is None:
        raise PoolExhausted(gap, pool, prefix, entries, needed)
    return slice_


def free_slice(pool: IPv4Network, prefix: int, taken: Iterable[IPv4Network]) -> IPv4Network | None:
    """The lowest slice of `pool` with that prefix length that overlaps nothing in `taken`; None if none does.

    Takes time in proportion to `taken`, not to the size of the pool.
    """
    if prefix < pool.prefixlen:
        return None
    size = 1 << (32 - prefix)
    start, end = int(pool.network_address), int(pool.broadcast_address)
    spans = sorted(
        (int(net.network_address), int(net.broadcast_address)) for net in taken if net.overlaps(pool)
    )
    for first, last in spans:
        if start + size - 1 < first:
            break
        if last >= start:
            start = (last // size + 1) * size
    if start + size - 1 > end:
        return None
    return IPv4Network((IPv4Address(start), prefix))


def _foreign(environment: Environment) -> Iterator[IPv4Network]:
    """Ranges that are somebody else's and must not be handed out: adopted clusters' and machine networks."""
    for _, region in sorted(environment.regions.items()):
        yield from region.machine_networks
        if isinstance(region.cluster, AdoptedClusterSpec):
            yield region.cluster.pod_cidr
            yield region.cluster.service_cidr
