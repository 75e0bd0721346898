"""Rules over the network of pods and services: routers, and load-balancer addresses."""

from __future__ import annotations

from stacks.model import FabricPeer, Host
from stacks.rules.check import Check, Placed


def fabric_peers_lie_in_their_machine_network(check: Check) -> None:
    """Nodes reach their routers directly: BGP sessions over several hops are not set up."""
    for region, _, path, peer in check.routers():
        network = check.environment.regions[region].machine_network
        if peer.address not in network:
            check.problem(
                path,
                str(peer.address),
                f"a fabric peer's address lies in the machine network {network} of its region '{region}' "
                f"(line {check.line('regions', region, 'machineNetwork')})",
                "name the router's address in that network",
            )


def bare_metal_has_what_it_needs(check: Check) -> None:
    """A bare-metal region declares fabric and load balancer: pods would be unreachable, services pending."""
    needs = {
        "fabric": "the routers that carry pod routes (an AS number, and peers by address and asn)",
        "loadBalancer": "the addresses that services of type LoadBalancer get (first and last)",
    }
    for region, _ in check.bare_metal():
        spec = check.environment.regions[region]
        for key, value in (("fabric", spec.fabric), ("loadBalancer", spec.load_balancer)):
            if value is None and check.intact("regions", region, key):
                check.problem(
                    ("regions", region, key),
                    "nothing",
                    f"a bare-metal region declares `{key}`: {needs[key]}",
                    f"add `{key}` to region '{region}'",
                )


def adopted_regions_have_no_fabric(check: Check) -> None:
    """An adopted cluster's machines are not touched: a fabric declared for them would have no effect."""
    for region, _ in check.adopted():
        if check.environment.regions[region].fabric is not None:
            check.problem(
                ("regions", region, "fabric"),
                "a fabric",
                "an adopted cluster's machines are not configured",
                "remove it; routes to the cluster's pods are the matter of its network",
            )


def load_balancer_ranges_are_usable(check: Check) -> None:
    """A load-balancer range lies in its machine network, without machines: two would answer one address."""
    machines: list[Placed[Host | FabricPeer]] = [*check.hosts(), *check.routers()]
    for name, spec in check.environment.regions.items():
        span, path = spec.load_balancer, ("regions", name, "loadBalancer")
        if span is None:
            continue
        got = f"{span.first} to {span.last}"
        if span.last < span.first:
            check.problem(
                path, got, "`first` is not above `last`", f"write first: {span.last}, last: {span.first}"
            )
            continue
        network = spec.machine_network
        if span.first not in network or span.last not in network:
            check.problem(
                path,
                got,
                f"the range lies in the machine network {network} of region '{name}' "
                f"(line {check.line('regions', name, 'machineNetwork')})",
                f"choose addresses of {network}",
            )
            continue
        for address, what in ((network.network_address, "network"), (network.broadcast_address, "broadcast")):
            if span.first <= address <= span.last:
                check.problem(
                    path, got, f"the range leaves out the {what} address {address}", "shorten it by one"
                )
        for machine in machines:
            if span.first <= machine.spec.address <= span.last:
                owner = f"host '{machine.name}'" if machine.name else "the fabric peer"
                check.problem(
                    path,
                    f"{got}, which contains {machine.spec.address} of {owner} of region '{machine.region}' "
                    f"(line {check.line(*machine.path)})",
                    "a load-balancer range contains no host and no router",
                    "choose a range beside it, or another address for it",
                )


RULES = (
    fabric_peers_lie_in_their_machine_network,
    bare_metal_has_what_it_needs,
    adopted_regions_have_no_fabric,
    load_balancer_ranges_are_usable,
)
