"""Rules over the network of pods and services: routers, and load-balancer addresses."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

from stacks.model import AddressRange, BareMetalClusterSpec, FabricPeer, Host, Node
from stacks.rules.addresses import ranges
from stacks.rules.check import Check, Placed, repeated

_NODE_PORTS = range(30000, 32768)


def fabric_peers_lie_in_their_machine_network(check: Check) -> None:
    """Nodes reach their routers directly: BGP sessions over several hops are not set up."""
    for region, _, path, peer in check.routers():
        network = check.environment.regions[region].machine_network
        if network is not None and peer.address not in network:
            check.problem(
                path,
                str(peer.address),
                f"a fabric peer's address lies in the machine network {network} of its region '{region}' "
                f"(line {check.line('regions', region, 'machineNetwork')})",
                "name the router's address in that network",
            )


def bare_metal_has_addresses_for_clients(check: Check) -> None:
    """A bare-metal region declares where clients reach its gateway: its service would stay pending."""
    for region, cluster in check.bare_metal():
        path, spec = ("regions", region, "loadBalancer"), check.environment.regions[region]
        intact = check.intact(*path) and check.intact("regions", region, "gatewayNodes")
        if spec.load_balancer is None and not spec.gateway_nodes and intact:
            check.problem(
                path,
                "nothing",
                "a bare-metal region declares where clients reach its gateway: `loadBalancer`, free "
                "addresses (first and last), or `gatewayNodes`, nodes that lead to it from their own "
                "addresses",
                f"add `loadBalancer` to region '{region}'; or, where machines have one address each and no "
                f"other is to be had, `gatewayNodes: [{_worker(cluster)}]`",
            )


def _worker(cluster: BareMetalClusterSpec) -> str:
    return next((name for name, node in cluster.nodes.items() if node.takes_workload), "NODE")


def bare_metal_beside_other_regions_has_a_fabric(check: Check) -> None:
    """A bare-metal region beside others declares a fabric: its pods would be unreachable from theirs.

    Without routers or tunnels, nodes know the slices of their neighbours, and nobody else does.
    """
    adopted = [name for name, _ in check.adopted()]
    if len(check.environment.regions) == 1 or not check.intact("tunnels"):
        return
    for region, _ in check.bare_metal():
        path = ("regions", region, "fabric")
        if check.environment.regions[region].fabric is not None or not check.intact(*path):
            continue
        if check.environment.tunnels is None:
            check.problem(
                path,
                "nothing",
                "a bare-metal region beside others declares `fabric`: the routers that carry pod routes (an "
                "AS number, and peers by address and asn); or the environment declares `tunnels`",
                f"add `fabric` to region '{region}'; or, without such a router, `tunnels: {{}}` beside "
                "`regions`",
            )
        elif adopted:
            check.problem(
                path,
                f"nothing, beside the adopted region '{adopted[0]}'",
                "the machines of adopted clusters are not touched and have no tunnels: only routers lead "
                "their pods to others",
                f"add `fabric` to region '{region}'; or make an environment of its own of one of the two",
            )


def machines_share_a_network_or_have_tunnels(check: Check) -> None:
    """A region without a machine network has tunnels: its nodes would not reach each other's pods."""
    for region, spec in check.environment.regions.items():
        path = ("regions", region, "machineNetwork")
        if spec.machine_network is not None or not check.intact(*path):
            continue
        if not isinstance(spec.cluster, BareMetalClusterSpec):
            reason = "its pods and services are told apart from its machines by it"
        elif spec.fabric is not None:
            reason = "the routers of `fabric` lie in it"
        elif check.environment.tunnels is None and check.intact("tunnels"):
            reason = "without `tunnels`, it is where nodes lead packets to the pods of their neighbours"
        else:
            continue
        fix = f"add `machineNetwork` to region '{region}'"
        if spec.fabric is None and isinstance(spec.cluster, BareMetalClusterSpec):
            fix += "; or, where its machines share no network, `tunnels: {}` beside `regions`"
        check.problem(path, "nothing", f"a region declares its machines' network: {reason}", fix)


def tunnels_join_somebody(check: Check) -> None:
    """Tunnels join nodes that nothing else joins: declared where there are none, they would do nothing."""
    if not check.intact("tunnels") or not check.intact("regions"):
        return
    for node in check.nodes():
        ours = check.environment.tunnel_peers(node.name)
        if node.spec.tunnel.model_fields_set and not ours:
            check.problem(
                (*node.path, "tunnel"),
                "the end of a tunnel",
                f"node '{node.name}' has no tunnels: "
                + (
                    "its segment or routers lead to all others"
                    if check.environment.tunnels
                    else "none are declared"
                ),
                "remove it" if check.environment.tunnels else "remove it, or declare `tunnels`",
            )
    if check.environment.tunnels and not _tunnelled(check):
        check.problem(
            ("tunnels",),
            "tunnels that join nobody",
            "tunnels are made between nodes of regions without `fabric`, and within regions without "
            "`machineNetwork`; everybody is joined without them",
            "remove it",
        )


def ends_of_tunnels_are_called_at_an_address_of_their_own(check: Check) -> None:
    """Where a node is called nobody else is: its packets would go to another one, or in circles."""
    tunnels, pools = check.environment.tunnels, ranges.pools(check)
    if tunnels is None:
        return
    nodes = _tunnelled(check)
    for node in nodes:
        end, path = node.spec.tunnel, (*node.path, "tunnel")
        if not end.reachable and (end.address or end.port):
            check.problem(
                path,
                "an address or port where others reach it, and reachable: false",
                "others can call a node at its `address` and `port`, or not at all",
                "remove one of the two",
            )
        for pool in pools:
            if end.address and end.address in pool.network:
                check.problem(
                    (*path, "address"),
                    f"{end.address}, an address of {pool.owner} {pool.network}",
                    "tunnels are reached from outside of themselves",
                    "name the public address that leads to the machine",
                )
    called = [node for node in nodes if node.spec.tunnel.reachable]
    for first, node in repeated(called, lambda node: _called_at(node.spec, tunnels.port)):
        address, port = _called_at(node.spec, tunnels.port)
        if not (node.spec.tunnel.address or first.spec.tunnel.address):
            continue  # Two machines with one address are another rule's.
        check.problem(
            (*node.path, "tunnel"),
            f"{address} port {port} again; line {check.line(*first.path)} has it already",
            "each end of tunnels has an address and port of its own: a NAT forwards one to one machine",
            "forward another port to one of them, and name it as its `tunnel.port`",
        )


def of_two_ends_one_can_be_called(check: Check) -> None:
    """Of two nodes one can call the other: between two that nobody can call, no tunnel would come up."""
    for one, other in combinations([node for node in _tunnelled(check) if not node.spec.tunnel.reachable], 2):
        if one.name in check.environment.tunnel_peers(other.name):
            check.problem(
                (*other.path, "tunnel"),
                f"reachable: false, as of node '{one.name}' (line {check.line(*one.path)})",
                "of two nodes with a tunnel one can be called by the other",
                "forward a UDP port to one of them, and name it: `tunnel: {address: …, port: …}`; or, where "
                "both are in one network, declare that as the `machineNetwork` of a region of theirs",
            )


def _tunnelled(check: Check) -> list[Placed[Node]]:
    return [node for node in check.nodes() if check.environment.tunnel_peers(node.name)]


def _called_at(node: Node, port: int) -> tuple[IPv4Address, int]:
    return node.tunnel.address or node.address, node.tunnel.port or port


def tunnels_leave_node_ports_alone(check: Check) -> None:
    """The tunnels' port is none of the node ports of services: a service that got it would be led astray."""
    tunnels = check.environment.tunnels
    if tunnels is not None and tunnels.port in _NODE_PORTS:
        check.problem(
            ("tunnels", "port"),
            str(tunnels.port),
            f"ports {_NODE_PORTS.start} to {_NODE_PORTS.stop - 1} are for services of Kubernetes "
            "(kube-apiserver's --service-node-port-range)",
            "choose another one; 51820 is usual",
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
        elif network is None:
            _beside(check, name, span)
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
    if spec.fabric is None and spec.machine_network is not None and check.intact("regions", name, "fabric"):
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
                "choose addresses that nobody has"
                if claim.path[-1] != "address"
                else "MetalLB gives services no address of a machine: name the machine in `gatewayNodes` "
                "instead of `loadBalancer`; or have whoever owns the network lead a further one to it, and "
                "name that",
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
    machines_share_a_network_or_have_tunnels,
    tunnels_join_somebody,
    ends_of_tunnels_are_called_at_an_address_of_their_own,
    of_two_ends_one_can_be_called,
    tunnels_leave_node_ports_alone,
    fabric_peers_lie_in_their_machine_network,
    bare_metal_has_addresses_for_clients,
    bare_metal_beside_other_regions_has_a_fabric,
    adopted_regions_have_no_fabric,
    load_balancer_ranges_are_usable,
)
