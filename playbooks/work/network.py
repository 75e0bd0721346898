"""Pods' addresses and routes on every node: the bridge plugin, BIRD, tunnels. MetalLB's speaker runs too."""

from __future__ import annotations

from playbooks.phase import Host, Phase, Undo, Variables, Work, bundle, is_node
from playbooks.work.machines import PREPARE

INTERFACE = "crossmesh"
"""The interface of a node's tunnels."""

TUNNEL_SERVICE = f"wg-quick@{INTERFACE}.service"

TUNNEL = Phase(
    name="tunnel",
    change="the node's tunnels change: those whose keys, addresses or ports are new begin anew, others go on",
    undo=Undo(
        services=(TUNNEL_SERVICE,),
        files=(f"/etc/wireguard/{INTERFACE}.conf", "/etc/bird/tunnels.conf"),
    ),
    after=(PREPARE.name,),
)


def _pod_network(host: Host) -> Variables:
    slices, fabric = host.ledger.nodes[host.region], host.spec.fabric
    nodes, network = host.cluster.nodes, host.spec.machine_network
    tunnels = host.environment.tunnels
    return {
        "pod_network_address": str(host.address),
        "pod_network_pool": str(host.environment.addresses.pod_pool),
        "pod_network_slice": str(slices[host.name]),
        "pod_network_machines": str(network or host.address),
        "pod_network_service_ranges": [str(network) for network in host.spec.routed_services if fabric],
        "pod_network_asn": fabric.asn if fabric else 0,
        "pod_network_peers": [
            {"address": str(peer.address), "asn": peer.asn} for peer in (fabric.peers if fabric else ())
        ],
        "pod_network_masquerade": fabric is None,
        # With no fabric to learn from, each node is told where its neighbours' slices are.
        "pod_network_routes": []
        if fabric or network is None
        else [
            {"slice": str(slices[other]), "via": str(nodes[other].address)}
            for other in sorted(nodes)
            if other != host.name
        ],
        **({"pod_network_tunnel_mtu": tunnels.mtu} if tunnels and has_tunnels(host) else {}),
    }


def has_tunnels(host: Host) -> bool:
    """Whether the host is a node that reaches others through tunnels."""
    return bool(host.environment.tunnel_peers(host.name))


def _tunnel(host: Host) -> Variables:
    """The node's end of its tunnels, but for its private key and the others' public ones."""
    tunnels = host.environment.tunnels
    assert tunnels is not None and host.node is not None
    peers = {}
    for name, (region, node) in host.environment.tunnel_peers(host.name).items():
        end, networks = node.tunnel, [str(host.ledger.nodes[region][name])]
        if end.behind_nat:
            networks.append(f"{node.address}/32")
        endpoint = f"{end.address or node.address}:{end.port or tunnels.port}"
        peers[name] = {"endpoint": endpoint if end.reachable else "", "networks": networks}
    return {
        "tunnel_address": str(host.ledger.nodes[host.region][host.name].network_address),
        "tunnel_port": tunnels.port,
        "tunnel_mtu": tunnels.mtu,
        "tunnel_keepalive": host.node.tunnel.keepalive_seconds,
        "tunnel_peers": peers,
    }


WORK = (
    Work(
        PREPARE,
        is_node,
        _pod_network,
        packages=("bird2", "containernetworking-plugins", "nftables"),
        bundles=bundle("metallb", "metallb"),
    ),
    # ping is the doctor's, who measures the largest packets.
    Work(
        TUNNEL,
        has_tunnels,
        _tunnel,
        grows=("tunnel_peers", "tunnel_public_keys"),
        packages=("iputils-ping", "wireguard-tools"),
    ),
    Work(
        TUNNEL,
        lambda host: has_tunnels(host) and host.profile.userspace_tunnels,
        packages=("wireguard-go",),
    ),
)
