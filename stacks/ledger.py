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


class Slices(Model):
    """One cluster's slices of the pod pool and of the service pool."""

    pods: IPv4Network = Field(description="the cluster's slice of the pod pool")
    services: IPv4Network = Field(description="the cluster's slice of the service pool")


class Ledger(Model):
    """The slices of bare-metal clusters and their nodes.

    Adopted clusters bring their own ranges and have no entry.
    """

    clusters: dict[Label, Slices] = Field(default_factory=dict, description="slices of each region's cluster")
    nodes: dict[Label, dict[Label, IPv4Network]] = Field(
        default_factory=dict, description="each node's slice of its cluster's pods, by region and node"
    )


@dataclass(frozen=True)
class Missing:
    """A declared cluster (`node` is None) or node without an entry."""

    region: str
    node: str | None = None

    def __str__(self) -> str:
        return (
            f"node '{self.node}' of region '{self.region}'"
            if self.node
            else f"cluster of region '{self.region}'"
        )


@dataclass(frozen=True)
class Proposal:
    """The slices that a missing cluster (`pods` and `services`) or node (`pods`) would get."""

    region: str
    node: str | None
    pods: IPv4Network
    services: IPv4Network | None = None

    def __str__(self) -> str:
        if self.node:
            return f"`nodes.{self.region}.{self.node}: {self.pods}`"
        return f"`clusters.{self.region}: {{pods: {self.pods}, services: {self.services}}}`"


@dataclass(frozen=True)
class Retired:
    """An entry of a cluster (`node` is None) or node that is declared no longer; its slice stays reserved."""

    region: str
    node: str | None
    slices: tuple[IPv4Network, ...]

    def __str__(self) -> str:
        owner = (
            f"node '{self.node}' of region '{self.region}'"
            if self.node
            else f"cluster of region '{self.region}'"
        )
        return f"{', '.join(map(str, self.slices))}: reserved for the retired {owner}"


class PoolExhausted(Exception):
    """A pool has no free slice left.

    Says which, how many slices are needed and what prefix length would do.
    """

    def __init__(
        self, region: str, node: str | None, pool: IPv4Network, prefix: int, taken: int, needed: int
    ) -> None:
        self.region, self.node, self.pool, self.prefix = region, node, pool, prefix
        self.taken, self.needed = taken, needed
        super().__init__(
            f"{pool} holds {2 ** max(0, prefix - pool.prefixlen)} slices of /{prefix}, "
            f"{taken} are taken, {needed} more are needed"
        )

    def larger_pool(self) -> int:
        """The prefix length of a pool that would hold what is taken and what is needed."""
        slices: int = 2 ** max(0, self.prefix - self.pool.prefixlen)
        wanted = max(slices + 1, self.taken + self.needed)
        return max(0, self.prefix - int(wanted - 1).bit_length())


def declared_nodes(environment: Environment) -> dict[str, tuple[str, ...]]:
    """The nodes that need a slice: names by region, bare-metal regions only, all sorted."""
    return {
        name: tuple(sorted(region.cluster.nodes))
        for name, region in sorted(environment.regions.items())
        if isinstance(region.cluster, BareMetalClusterSpec)
    }


def missing(environment: Environment, ledger: Ledger) -> tuple[Missing, ...]:
    """What is declared and has no entry, sorted; a region's cluster before its nodes."""
    found: list[Missing] = []
    for region, nodes in declared_nodes(environment).items():
        if region not in ledger.clusters:
            found.append(Missing(region))
        found += [Missing(region, node) for node in nodes if node not in ledger.nodes.get(region, {})]
    return tuple(found)


def retired(environment: Environment, ledger: Ledger) -> tuple[Retired, ...]:
    """Entries that nothing declared owns, sorted."""
    declared = declared_nodes(environment)
    found = [
        Retired(region, None, (slices.pods, slices.services))
        for region, slices in sorted(ledger.clusters.items())
        if region not in declared
    ]
    for region, nodes in sorted(ledger.nodes.items()):
        found += [
            Retired(region, node, (slice_,))
            for node, slice_ in sorted(nodes.items())
            if node not in declared.get(region, ())
        ]
    return tuple(found)


def propose(environment: Environment, ledger: Ledger) -> tuple[Proposal, ...]:
    """The slices that what is missing would get, in the order of `missing`. Raises `PoolExhausted`."""
    full = assign(environment, ledger)
    found = []
    for gap in missing(environment, ledger):
        if gap.node:
            found.append(Proposal(gap.region, gap.node, full.nodes[gap.region][gap.node]))
        else:
            slices = full.clusters[gap.region]
            found.append(Proposal(gap.region, None, slices.pods, slices.services))
    return tuple(found)


def assign(environment: Environment, ledger: Ledger) -> Ledger:
    """The ledger with an entry for everything that is declared; entries that exist are kept as they are.

    Raises `PoolExhausted` when a pool, or a cluster's slice, has no room for what is missing.
    """
    clusters = dict(ledger.clusters)
    nodes = {region: dict(entries) for region, entries in ledger.nodes.items()}
    pools = environment.addresses
    fixed = list(_foreign(environment))
    for region, names in declared_nodes(environment).items():
        if region not in clusters:
            new = sum(1 for other in declared_nodes(environment) if other not in clusters)
            stray = [slice_ for entries in nodes.values() for slice_ in entries.values()]
            pods = free_slice(
                pools.pod_pool,
                pools.pod_prefix_cluster,
                [*fixed, *(c.pods for c in clusters.values()), *stray],
            )
            services = free_slice(
                pools.service_pool,
                pools.service_prefix_cluster,
                [*fixed, *(c.services for c in clusters.values())],
            )
            if pods is None:
                raise PoolExhausted(
                    region, None, pools.pod_pool, pools.pod_prefix_cluster, len(clusters), new
                )
            if services is None:
                raise PoolExhausted(
                    region, None, pools.service_pool, pools.service_prefix_cluster, len(clusters), new
                )
            clusters[region] = Slices(pods=pods, services=services)
        entries = nodes.setdefault(region, {})
        for name in names:
            if name in entries:
                continue
            taken = [slice_ for others in nodes.values() for slice_ in others.values()]
            slice_ = free_slice(clusters[region].pods, pools.pod_prefix_node, taken)
            if slice_ is None:
                left = sum(1 for other in names if other not in entries)
                pool = clusters[region].pods
                raise PoolExhausted(region, name, pool, pools.pod_prefix_node, len(entries), left)
            entries[name] = slice_
    return Ledger(
        clusters={region: clusters[region] for region in sorted(clusters)},
        nodes={region: dict(sorted(entries.items())) for region, entries in sorted(nodes.items()) if entries},
    )


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
        yield region.machine_network
        if isinstance(region.cluster, AdoptedClusterSpec):
            yield region.cluster.pod_cidr
            yield region.cluster.service_cidr
