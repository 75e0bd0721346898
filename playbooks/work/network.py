"""Pods' addresses and routes on every node: the bridge plugin, and BIRD. MetalLB's speaker runs there too."""

from __future__ import annotations

from playbooks.phase import Host, Variables, Work, is_node
from playbooks.work.machines import PREPARE


def _pod_network(host: Host) -> Variables:
    slices, fabric = host.ledger.nodes[host.region], host.spec.fabric
    nodes = host.cluster.nodes
    return {
        "pod_network_address": str(host.address),
        "pod_network_pool": str(host.environment.addresses.pod_pool),
        "pod_network_slice": str(slices[host.name]),
        "pod_network_machines": str(host.spec.machine_network),
        "pod_network_service_ranges": [str(network) for network in host.spec.routed_services],
        "pod_network_asn": fabric.asn if fabric else 0,
        "pod_network_peers": [
            {"address": str(peer.address), "asn": peer.asn} for peer in (fabric.peers if fabric else ())
        ],
        "pod_network_masquerade": fabric is None,
        # With no fabric to learn from, each node is told where its neighbours' slices are.
        "pod_network_routes": []
        if fabric
        else [
            {"slice": str(slices[other]), "via": str(nodes[other].address)}
            for other in sorted(nodes)
            if other != host.name
        ],
    }


WORK = (
    Work(
        PREPARE,
        is_node,
        _pod_network,
        packages=("bird2", "containernetworking-plugins", "nftables"),
        bundles=lambda _: ("metallb",),
    ),
)
