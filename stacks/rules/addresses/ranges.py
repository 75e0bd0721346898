"""Rules over address ranges: nothing overlaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations

from stacks.errors import ENVIRONMENT, LEDGER, KeyPath
from stacks.ledger import declared_nodes, free_slice
from stacks.rules.check import Check

PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


@dataclass(frozen=True)
class Claim:
    """A range of addresses, and who has it: in words, and as a path of the file."""

    owner: str
    path: KeyPath
    network: IPv4Network
    region: str = ""
    kind: str = ""
    """Of a slice of the ledger: `pods` or `services` of a cluster, or `node`."""
    live: bool = True
    """Whether its owner is still declared."""


def pools(check: Check) -> list[Claim]:
    """The pools that slices come from; none where their declaration is wrong."""
    if not check.intact("addresses"):
        return []
    sizes, path = check.environment.addresses, (*ENVIRONMENT, "addresses")
    return [
        Claim("the pod pool", (*path, "podPool"), sizes.pod_pool),
        Claim("the service pool", (*path, "servicePool"), sizes.service_pool),
    ]


def machines(check: Check) -> Iterator[Claim]:
    """The regions' machine networks, and machines that are in none."""
    for name, spec in check.environment.regions.items():
        if spec.machine_network is not None:
            path = (*ENVIRONMENT, "regions", name, "machineNetwork")
            yield Claim(f"the machine network of region '{name}'", path, spec.machine_network, name)
    for host in check.hosts():
        if check.environment.regions[host.region].machine_network is None:
            path = (*ENVIRONMENT, *host.path, "address")
            yield Claim(f"host '{host.name}'", path, IPv4Network(host.spec.address), host.region)


def adopted(check: Check) -> Iterator[Claim]:
    """The ranges that adopted clusters bring."""
    for name, spec in check.adopted():
        path, of = (*ENVIRONMENT, "regions", name, "cluster"), f"of the adopted cluster of region '{name}'"
        yield Claim(f"the pods {of}", (*path, "podCidr"), spec.pod_cidr, name)
        yield Claim(f"the services {of}", (*path, "serviceCidr"), spec.service_cidr, name)


def cluster_slices(check: Check) -> Iterator[Claim]:
    """The slices of the ledger that clusters have."""
    declared = declared_nodes(check.environment)
    for region, slices in check.ledger.clusters.items():
        live, path = region in declared, (*LEDGER, "clusters", region)
        of = f"of the {'' if live else 'retired '}cluster of region '{region}'"
        for kind, network in (("pods", slices.pods), ("services", slices.services)):
            yield Claim(f"the {kind} {of}", (*path, kind), network, region, kind, live)


def node_slices(check: Check) -> Iterator[Claim]:
    """The slices of the ledger that nodes have."""
    declared = declared_nodes(check.environment)
    for region, nodes in check.ledger.nodes.items():
        for name, network in nodes.items():
            live = name in declared.get(region, ())
            owner = f"{'node' if live else 'the retired node'} '{name}' of region '{region}'"
            yield Claim(owner, (*LEDGER, "nodes", region, name), network, region, "node", live)


def free_range(check: Check, prefix: int) -> str:
    """A network with that prefix length that nobody has, in words; among the private ranges of RFC 1918."""
    claims = [*pools(check), *machines(check), *adopted(check), *cluster_slices(check)]
    for space in PRIVATE:
        network = free_slice(space, prefix, [*(claim.network for claim in claims), *check.proposed])
        if network is not None:
            # Who follows two advices does not meet himself.
            check.proposed.append(network)
            return f"{network} is free"
    return f"no private /{prefix} is free; choose a longer prefix"


def overlap(check: Check, first: Claim, second: Claim, fix: str) -> None:
    """Note that the second of two ranges overlaps the first."""
    check.document.problem(
        second.path,
        f"{second.network}, which overlaps {first.network}: {first.owner} "
        f"(line {check.document.line(first.path)})",
        f"{second.owner} and {first.owner} do not overlap",
        fix,
    )


def _choose(check: Check, first: Claim, second: Claim) -> str:
    """What can be done about two ranges that overlap: pools are free to choose, what runs has its own."""
    pools = [claim for claim in (second, first) if claim.path[-1] in ("podPool", "servicePool")]
    free = free_range(check, (pools or [second])[0].network.prefixlen)
    if pools:
        return f"choose another range for {pools[0].owner}: {free}"
    if "address" in (first.path[-1], second.path[-1]):
        return "correct the address, or declare the host in the region whose network holds it"
    if first.path[-1] == second.path[-1] == "machineNetwork":
        shared = max(first.network, second.network, key=lambda network: network.num_addresses)
        parts = " and ".join(map(str, shared.subnets(1))) if shared.prefixlen < 32 else "an address"
        return f"of one network declare a part for each region ({parts}); of two, renumber one: {free}"
    return f"a cluster that runs keeps its ranges: leave one out, or set it up anew with others: {free}"


def pools_and_machine_networks_are_apart(check: Check) -> None:
    """Pools and machine networks are apart: an address in two of them is routed to one only."""
    for first, second in combinations([*pools(check), *machines(check)], 2):
        # Two hosts with one address are another rule's.
        hosts = first.path[-1] == second.path[-1] == "address"
        if first.network.overlaps(second.network) and not hosts:
            overlap(check, first, second, _choose(check, first, second))


def adopted_ranges_are_apart(check: Check) -> None:
    """An adopted cluster's ranges overlap nobody's: its pods could not be told from others.

    They may lie inside the pod or service pool, which then leaves them out, and its pods inside its own
    machine network, as with clouds that give pods addresses of the virtual network.
    """
    claims, networks = list(adopted(check)), list(machines(check))
    pairs = list(combinations(claims, 2))
    for claim in claims:
        is_pods = claim.path[-1] == "podCidr"
        pairs += [(net, claim) for net in networks if not (is_pods and net.region == claim.region)]
    for first, second in pairs:
        if first.network.overlaps(second.network):
            overlap(check, first, second, _choose(check, first, second))


def adopted_ranges_and_slices_are_apart(check: Check) -> None:
    """An adopted cluster's ranges overlap no slice: two clusters would own the same pod addresses."""
    if not check.intact("addresses"):
        return
    sizes, slices = check.environment.addresses, list(cluster_slices(check))
    for claim in adopted(check):
        for slice_ in slices:
            if claim.network.overlaps(slice_.network):
                pool = sizes.pod_pool if slice_.kind == "pods" else sizes.service_pool
                taken = [*slices, *machines(check), *adopted(check)]
                free = free_slice(pool, slice_.network.prefixlen, [other.network for other in taken])
                room = f"{free} is free in {pool}"
                if free is None:
                    room = f"{pool} has no free /{slice_.network.prefixlen} left"
                check.document.problem(
                    claim.path,
                    f"{claim.network}, which overlaps {slice_.network}: {slice_.owner} "
                    f"(crossmesh:ledger, line {check.document.line(slice_.path)})",
                    f"the ranges of {claim.owner} and of {slice_.owner} do not overlap",
                    f"adopt a cluster with another range; or, while region '{slice_.region}' is not built "
                    f"yet, give it another slice in the ledger: {room}",
                )


RULES = (
    pools_and_machine_networks_are_apart,
    adopted_ranges_are_apart,
    adopted_ranges_and_slices_are_apart,
)
