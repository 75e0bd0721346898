"""Rules over address ranges: nothing overlaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations

from stacks.errors import KeyPath
from stacks.ledger import free_slice
from stacks.rules.check import Check

PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


@dataclass(frozen=True)
class Claim:
    """A range of addresses and who declares it, in words and as a path of the environment."""

    owner: str
    path: KeyPath
    network: IPv4Network
    region: str | None = None


def pools(check: Check) -> list[Claim]:
    """The pools that slices come from; none where their declaration is wrong."""
    if not check.intact("addresses"):
        return []
    addresses = check.environment.addresses
    return [
        Claim("the pod pool", ("addresses", "podPool"), addresses.pod_pool),
        Claim("the service pool", ("addresses", "servicePool"), addresses.service_pool),
    ]


def machines(check: Check) -> list[Claim]:
    """The regions' machine networks."""
    return [
        Claim(
            f"the machine network of region '{name}'",
            ("regions", name, "machineNetwork"),
            spec.machine_network,
            name,
        )
        for name, spec in check.environment.regions.items()
    ]


def adopted(check: Check) -> Iterator[Claim]:
    """The ranges that adopted clusters bring."""
    for name, spec in check.adopted():
        path = ("regions", name, "cluster")
        yield Claim(
            f"the pods of the adopted cluster of region '{name}'", (*path, "podCidr"), spec.pod_cidr, name
        )
        yield Claim(
            f"the services of the adopted cluster of region '{name}'",
            (*path, "serviceCidr"),
            spec.service_cidr,
            name,
        )


def used(check: Check) -> list[IPv4Network]:
    """Every range that somebody has, for finding one that is free."""
    claims = [*pools(check), *machines(check), *adopted(check)]
    slices = [net for entry in check.ledger.clusters.values() for net in (entry.pods, entry.services)]
    return [*(claim.network for claim in claims), *slices]


def free_range(check: Check, prefix: int, among: tuple[IPv4Network, ...] = PRIVATE) -> str:
    """A network with that prefix length that nobody has, in words; among the private ranges of RFC 1918."""
    taken = used(check)
    for space in among:
        found = free_slice(space, prefix, taken)
        if found is not None:
            return f"{found} is free"
    return f"no private /{prefix} is free; choose a longer prefix"


def pools_and_machine_networks_are_apart(check: Check) -> None:
    """Pools and machine networks do not overlap.

    An address in two of them is routed to one, and lost for the other.
    """
    for first, second in combinations([*pools(check), *machines(check)], 2):
        if first.network.overlaps(second.network):
            _overlap(check, first, second, free_range(check, second.network.prefixlen))


def adopted_ranges_are_apart(check: Check) -> None:
    """An adopted cluster's ranges overlap nobody's: its pods could not be told from others.

    They may lie inside the pod or service pool, which then leaves them out, and its pods inside its own
    machine network, as with clouds that give pods addresses of the virtual network.
    """
    claims = list(adopted(check))
    for first, second in combinations(claims, 2):
        if first.network.overlaps(second.network):
            _overlap(check, first, second, free_range(check, second.network.prefixlen))
    for claim in claims:
        for other in machines(check):
            inside_own = claim.region == other.region and claim.path[-1] == "podCidr"
            if claim.network.overlaps(other.network) and not inside_own:
                _overlap(check, other, claim, free_range(check, claim.network.prefixlen))


def adopted_ranges_and_slices_are_apart(check: Check) -> None:
    """An adopted cluster's ranges overlap no slice of the ledger.

    Two clusters would otherwise own the same pod addresses.
    """
    sizes = check.environment.addresses
    for claim in adopted(check):
        for region, entry in check.ledger.clusters.items():
            kinds = (("pods", entry.pods, sizes.pod_pool), ("services", entry.services, sizes.service_pool))
            for kind, slice_, pool in kinds:
                if not claim.network.overlaps(slice_) or not check.intact("addresses"):
                    continue
                own = region in dict(check.bare_metal())
                owner = f"the {kind} of the {'' if own else 'retired '}cluster of region '{region}'"
                free = free_slice(pool, slice_.prefixlen, used_slices(check))
                advice = (
                    f"{free} is free in {pool}" if free else f"{pool} has no free /{slice_.prefixlen} left"
                )
                check.problem(
                    claim.path,
                    f"{claim.network}, which overlaps {slice_}: {owner} "
                    f"(crossmesh:ledger, line {check.ledger_line('clusters', region, kind)})",
                    f"the ranges of {claim.owner} and of {owner} do not overlap",
                    f"adopt a cluster with another range; or, while region '{region}' is not built "
                    f"yet, give it another slice in the ledger: {advice}",
                )


def used_slices(check: Check) -> list[IPv4Network]:
    """What a new slice must not overlap."""
    slices = [net for entry in check.ledger.clusters.values() for net in (entry.pods, entry.services)]
    return [*slices, *(claim.network for claim in [*machines(check), *adopted(check)])]


def _overlap(check: Check, first: Claim, second: Claim, advice: str) -> None:
    check.problem(
        second.path,
        f"{second.network}, which overlaps {first.network}: {first.owner} (line {check.line(*first.path)})",
        f"{second.owner} and {first.owner} do not overlap",
        f"choose another range for one of them: {advice}",
    )


RULES = (
    pools_and_machine_networks_are_apart,
    adopted_ranges_are_apart,
    adopted_ranges_and_slices_are_apart,
)
