"""Rules over machines: names, addresses, roles, and what it takes to reach and connect them."""

from __future__ import annotations

from stacks.errors import KeyPath
from stacks.model import NodeRole
from stacks.rules.check import Check
from stacks.wording import suggestion


def host_names_are_unique(check: Check) -> None:
    """A host's name stands once in the environment.

    Host keys, metrics and Kubernetes nodes are found by it.
    """
    first: dict[str, int] = {}
    for region, name, path, _ in check.hosts():
        if name in first:
            check.problem(
                path,
                f"the name '{name}' again; line {first[name]} has it already",
                "host names are unique over all regions, nodes and edge hosts",
                f"rename one, for example to {region}-{name}",
            )
        else:
            first[name] = check.line(*path)


def addresses_are_unique(check: Check) -> None:
    """An address belongs to one machine.

    A second one would be set up over the first, or neither be reached.
    """
    first: dict[object, tuple[str, int]] = {}
    for region, spec in check.environment.regions.items():
        for index, peer in enumerate(spec.fabric.peers if spec.fabric else ()):
            path: KeyPath = ("regions", region, "fabric", "peers", index)
            owner = f"a fabric peer of region '{region}'"
            if peer.address in first and first[peer.address][0] == owner:
                check.problem(
                    path,
                    f"{peer.address} again; line {first[peer.address][1]} has it already",
                    "a router is declared once in its region",
                    "remove one of the two",
                )
            first.setdefault(peer.address, (owner, check.line(*path)))
    for _, name, where, host in check.hosts():
        if host.address in first:
            owner, line = first[host.address]
            check.problem(
                (*where, "address"),
                f"{host.address}, the address of {owner} (line {line})",
                "every machine and router has an address of its own",
                "give one of them another address",
            )
        else:
            first[host.address] = (f"host '{name}'", check.line(*where, "address"))


def hosts_lie_in_their_machine_network(check: Check) -> None:
    """A host's address is one of its region's machine network.

    Nodes and routers speak to each other there directly.
    """
    for region, _, path, host in check.hosts():
        network = check.environment.regions[region].machine_network
        where = f"(line {check.line('regions', region, 'machineNetwork')})"
        if host.address not in network:
            other = next(
                (
                    name
                    for name, spec in check.environment.regions.items()
                    if host.address in spec.machine_network
                ),
                None,
            )
            fix = (
                f"move the host to region '{other}', whose network holds it"
                if other
                else f"choose one of {network}"
            )
            check.problem(
                (*path, "address"),
                str(host.address),
                f"a host's address lies in the machine network {network} of its region '{region}' {where}",
                fix,
            )
        elif host.address in (network.network_address, network.broadcast_address):
            check.problem(
                (*path, "address"),
                str(host.address),
                f"the first and the last address of {network} {where} belong to no host",
                "choose another",
            )


def fabric_peers_lie_in_their_machine_network(check: Check) -> None:
    """Nodes reach their routers directly: BGP sessions over several hops are not set up."""
    for region, spec in check.environment.regions.items():
        for index, peer in enumerate(spec.fabric.peers if spec.fabric else ()):
            if peer.address not in spec.machine_network:
                check.problem(
                    ("regions", region, "fabric", "peers", index),
                    str(peer.address),
                    f"a fabric peer's address lies in the machine network {spec.machine_network} of its "
                    f"region '{region}' (line {check.line('regions', region, 'machineNetwork')})",
                    "name the router's address in that network",
                )


def profiles_exist(check: Check) -> None:
    """A host's profile is declared: without its settings the machine would come up wrong, if at all."""
    known = check.declared("hostProfiles")
    for _, _, path, host in check.hosts():
        if host.profile is not None and host.profile not in known:
            listed = (
                f"profiles there are: {', '.join(sorted(known))}" if known else "`hostProfiles` declares none"
            )
            check.problem(
                (*path, "profile"),
                f"the unknown profile '{host.profile}'",
                listed,
                suggestion(host.profile, known, "declare it under `hostProfiles`, or remove the line"),
            )


def clusters_have_one_control_plane_node(check: Check) -> None:
    """A cluster has exactly one control-plane node.

    Several need a virtual address for their API, not built yet.
    """
    for region, cluster in check.bare_metal():
        path = ("regions", region, "cluster", "nodes")
        if not check.intact(*path):
            continue
        count = sum(node.role is NodeRole.CONTROL_PLANE for node in cluster.nodes.values())
        if count != 1:
            check.problem(
                path,
                f"{count} nodes with the role control-plane",
                "1 control-plane node per cluster is supported today",
                "give one node the role control-plane" if count == 0 else "make the others workers",
            )


def clusters_have_a_worker(check: Check) -> None:
    """A cluster has a worker.

    The control-plane node takes no workload, so gateways and applications would wait.
    """
    for region, cluster in check.bare_metal():
        path = ("regions", region, "cluster", "nodes")
        if check.intact(*path) and not any(node.role is NodeRole.WORKER for node in cluster.nodes.values()):
            check.problem(
                path,
                "no node with the role worker",
                "a cluster has at least one worker",
                "declare a node with `role: worker`",
            )


def bare_metal_has_what_it_needs(check: Check) -> None:
    """A bare-metal region declares its fabric and load-balancer range.

    Pods would be unreachable without, and services pending.
    """
    needs = {
        "fabric": "the routers that carry pod routes (an AS number, and peers by address and asn)",
        "loadBalancer": "the addresses that services of type LoadBalancer get (first and last)",
    }
    for region, _ in check.bare_metal():
        spec = check.environment.regions[region]
        values = {"fabric": spec.fabric, "loadBalancer": spec.load_balancer}
        for key, what in needs.items():
            if values[key] is None and check.intact("regions", region, key):
                check.problem(
                    ("regions", region, key),
                    "nothing",
                    f"a bare-metal region declares `{key}`: {what}",
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


def hosts_can_be_reached(check: Check) -> None:
    """Where there are machines there is `ssh`: hosts are set up over it, with checked host keys."""
    if check.environment.ssh is None and check.intact("ssh"):
        first = next(check.hosts(), None)
        if first is not None:
            check.problem(
                ("ssh",),
                "nothing",
                f"hosts such as '{first[1]}' (line {check.line(*first[2])}) are reached by ssh",
                "add `ssh` with `privateKeyFile` and `knownHostsFile`",
            )


def load_balancing_has_edges(check: Check) -> None:
    """Global load balancing has an edge host somewhere: nobody would answer the names."""
    if check.environment.global_load_balancer is None:
        return
    regions = check.environment.regions
    if not any(spec.edges for spec in regions.values()) and all(
        check.intact("regions", r, "edges") for r in regions
    ):
        check.problem(
            ("globalLoadBalancer",),
            "no edge host in any region",
            "the names are answered by edge hosts, two or more in different regions where it matters",
            "add `edges` to the regions, or remove `globalLoadBalancer`",
        )


def edges_have_something_to_answer(check: Check) -> None:
    """Edge hosts are there for global load balancing: without it they would be machines without a task."""
    if check.environment.global_load_balancer is not None or not check.intact("globalLoadBalancer"):
        return
    for region, spec in check.environment.regions.items():
        if spec.edges:
            check.problem(
                ("regions", region, "edges"),
                f"edge hosts ({', '.join(spec.edges)}), and no `globalLoadBalancer`",
                "edge hosts answer the names of the global load balancer",
                "add `globalLoadBalancer: {}`, or remove the edge hosts",
            )


def regions_share_one_mesh_network(check: Check) -> None:
    """All regions are one Istio network.

    Several need east-west gateways between them, which are not built yet.
    """
    first: tuple[str, str] | None = None
    for region, spec in check.environment.regions.items():
        if not check.intact("regions", region, "meshNetwork"):
            continue
        if first is None:
            first = (region, spec.mesh_network)
        elif spec.mesh_network != first[1]:
            check.problem(
                ("regions", region, "meshNetwork"),
                f"{spec.mesh_network}, where region '{first[0]}' has {first[1]}",
                "1 mesh network over all regions is supported today: their pods reach each other directly",
                f"write {first[1]} where regions can route pods to each other",
            )


RULES = (
    host_names_are_unique,
    addresses_are_unique,
    hosts_lie_in_their_machine_network,
    fabric_peers_lie_in_their_machine_network,
    profiles_exist,
    clusters_have_one_control_plane_node,
    clusters_have_a_worker,
    bare_metal_has_what_it_needs,
    adopted_regions_have_no_fabric,
    hosts_can_be_reached,
    load_balancing_has_edges,
    edges_have_something_to_answer,
    regions_share_one_mesh_network,
)
