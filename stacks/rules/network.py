"""Rules over the network of pods and services: routers, and load-balancer addresses."""

from __future__ import annotations

from ipaddress import IPv4Network

from stacks.model import AddressRange, BareMetalClusterSpec, FabricPeer, Host
from stacks.rules.addresses import ranges
from stacks.rules.check import Check, Placed
from stacks.wishes import TUNNELS


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


def bare_metal_has_load_balancer_addresses(check: Check) -> None:
    """A bare-metal region declares load-balancer addresses: services would stay pending."""
    for region, _ in check.bare_metal():
        path = ("regions", region, "loadBalancer")
        if check.environment.regions[region].load_balancer is None and check.intact(*path):
            check.problem(
                path,
                "nothing",
                "a bare-metal region declares `loadBalancer`: the addresses that services of type "
                "LoadBalancer get (first and last)",
                f"add `loadBalancer` to region '{region}'",
            )


def bare_metal_beside_other_regions_has_a_fabric(check: Check) -> None:
    """A bare-metal region beside others declares a fabric: its pods would be unreachable from theirs.

    Without routers, nodes know the slices of their neighbours, and nobody else does.
    """
    if len(check.environment.regions) == 1:
        return
    for region, _ in check.bare_metal():
        path = ("regions", region, "fabric")
        if check.environment.regions[region].fabric is None and check.intact(*path):
            check.problem(
                path,
                "nothing",
                "a bare-metal region beside others declares `fabric`: the routers that carry pod routes (an "
                f"AS number, and peers by address and asn). {TUNNELS.rule}",
                f"add `fabric` to region '{region}': {TUNNELS.until}",
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
    """A load-balancer range holds no machine: two would answer one address. It can be announced, too.

    Addresses of the machine network are, by ARP; others are by BGP, where there are routers for it.
    """
    for name, spec in check.environment.regions.items():
        span = spec.load_balancer
        if span is None:
            continue
        network, ends = spec.machine_network, (span.first, span.last)
        if span.last < span.first:
            rule, fix = "`first` is not above `last`", f"write first: {span.last}, last: {span.first}"
            check.problem(("regions", name, "loadBalancer"), _shown(span), rule, fix)
        elif all(end in network for end in ends):
            _within(check, name, span, network)
        elif any(end in network for end in ends) or span.first < network.network_address < span.last:
            check.problem(
                ("regions", name, "loadBalancer"),
                _shown(span),
                f"the range lies in the machine network {_of(check, name)}, or wholly beside it",
                f"choose addresses of {network}",
            )
        else:
            _beside(check, name, span)


def _within(check: Check, name: str, span: AddressRange, network: IPv4Network) -> None:
    """Addresses of the machine network are neither the network's own nor a machine's."""
    path, got = ("regions", name, "loadBalancer"), _shown(span)
    for address, what in ((network.network_address, "network"), (network.broadcast_address, "broadcast")):
        if span.first <= address <= span.last:
            check.problem(
                path, got, f"the range leaves out the {what} address {address}", "shorten it by one"
            )
    machines: list[Placed[Host | FabricPeer]] = [*check.hosts(), *check.routers()]
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


def _beside(check: Check, name: str, span: AddressRange) -> None:
    """Addresses beside the machine network are announced by the fabric, and nobody else's."""
    path, spec = ("regions", name, "loadBalancer"), check.environment.regions[name]
    if spec.fabric is None and check.intact("regions", name, "fabric"):
        router = isinstance(spec.cluster, BareMetalClusterSpec)
        check.problem(
            path,
            _shown(span),
            f"addresses outside of the machine network {_of(check, name)} are announced by BGP to the "
            "routers of `fabric`, and there is none",
            f"choose addresses of {spec.machine_network}" + (", or add `fabric`" if router else ""),
        )
    claims = [*ranges.pools(check), *ranges.machines(check), *ranges.adopted(check)]
    for claim in claims:
        if any(network.overlaps(claim.network) for network in spec.routed_services):
            check.problem(
                path,
                f"{_shown(span)}, which overlaps {claim.network}: {claim.owner} "
                f"(line {check.document.line(claim.path)})",
                "a load-balancer range outside of its machine network is of nobody else",
                "choose addresses that nobody has",
            )
    for other, region in check.environment.regions.items():
        theirs = region.load_balancer
        if other < name and theirs and span.first <= theirs.last and theirs.first <= span.last:
            check.problem(
                path,
                f"{_shown(span)}, which overlaps {_shown(theirs)} of region '{other}' "
                f"(line {check.line('regions', other, 'loadBalancer')})",
                "every region has load-balancer addresses of its own",
                "choose another range for one of them",
            )


def _shown(span: AddressRange) -> str:
    return f"{span.first} to {span.last}"


def _of(check: Check, region: str) -> str:
    network, line = check.environment.regions[region].machine_network, ("regions", region, "machineNetwork")
    return f"{network} of region '{region}' (line {check.line(*line)})"


RULES = (
    fabric_peers_lie_in_their_machine_network,
    bare_metal_has_load_balancer_addresses,
    bare_metal_beside_other_regions_has_a_fabric,
    adopted_regions_have_no_fabric,
    load_balancer_ranges_are_usable,
)
