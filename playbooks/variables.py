"""The role variables of one host and phase, made from the model.

Each function returns what concerns its host and nothing else, in plain JSON types, sorted where order has no
meaning: the digest of a host's phase is made of these, so a value too many would touch hosts that a change
does not concern.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stacks.model import BareMetalClusterSpec, Environment, HostProfile, ImageBundles, Node, NodeRole

if TYPE_CHECKING:
    from stacks.ledger import Ledger

Variables = dict[str, Any]

API_PORT = 6443
# All packages of a host are installed in one transaction: each further one costs seconds on a slow host.
_NODE_PACKAGES = (
    "bird2",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "ethtool",
    "iptables",
    "runc",
)
_KUBERNETES_PACKAGES = ("kubeadm", "kubectl", "kubelet")
_EDGE_PACKAGES = ("curl", "gdnsd")
_BUNDLES: dict[NodeRole, tuple[str, ...]] = {
    # MetalLB's speaker runs on every node, the rest of the platform on workers only.
    NodeRole.CONTROL_PLANE: ("kubernetes-control-plane", "kubernetes-node", "metallb"),
    NodeRole.WORKER: ("istio", "kubernetes-node", "metallb"),
}


class InventoryError(ValueError):
    """The declaration is well formed, but the plays cannot do it. Says what, why and how to mend it."""


def prepare_node(environment: Environment, ledger: Ledger, region: str, name: str) -> Variables:
    """Everything up to, but not including, the membership in a cluster."""
    spec = environment.regions[region]
    cluster = bare_metal(environment, region)
    node = cluster.nodes[name]
    profile = profile_of(environment, node.profile)
    version = f"{environment.versions.kubernetes}-*"
    labels = {
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": node.zone or region,
    }
    images = environment.sources.images
    return {
        "prepare_node": True,
        **_apt(environment),
        "base_packages": [*_NODE_PACKAGES, *(f"{package}={version}" for package in _KUBERNETES_PACKAGES)],
        "base_pins": dict.fromkeys(_KUBERNETES_PACKAGES, version),
        # Pods of one node talk through the bridge; only the packet filter translates services' addresses.
        "base_kernel_modules": ["br_netfilter", "overlay"],
        "base_sysctls": {
            "net.bridge.bridge-nf-call-ip6tables": 1,
            "net.bridge.bridge-nf-call-iptables": 1,
            "net.ipv4.ip_forward": 1,
        },
        "container_runtime_cgroup_driver": str(profile.kubelet.get("cgroupDriver", "systemd")),
        "container_runtime_restrict_oom_score_adj": profile.containerd_restrict_oom_score_adj,
        "images_base_url": images.base_url if images else "",
        "images_signed_by": images.signed_by if images else "",
        "images_bundles": _bundles(images, node.role) if images else [],
        "kubelet_node_ip": str(node.address),
        "kubelet_node_labels": labels,
        "kubelet_configuration": dict(sorted(profile.kubelet.items())),
        "pod_network_address": str(node.address),
        "pod_network_pool": str(environment.addresses.pod_pool),
        "pod_network_slice": str(ledger.nodes[region][name]),
        "pod_network_asn": spec.fabric.asn if spec.fabric else 0,
        "pod_network_peers": [
            {"address": str(peer.address), "asn": peer.asn}
            for peer in (spec.fabric.peers if spec.fabric else ())
        ],
        # With no fabric to learn from, each node is told where its neighbours' slices are.
        "pod_network_routes": []
        if spec.fabric
        else [
            {"slice": str(ledger.nodes[region][other]), "via": str(cluster.nodes[other].address)}
            for other in sorted(cluster.nodes)
            if other != name
        ],
    }


def prepare_edge(environment: Environment) -> Variables:
    """An edge host needs its packages and nothing of Kubernetes."""
    return {"prepare_node": False, **_apt(environment), "base_packages": list(_EDGE_PACKAGES)}


def control_plane(environment: Environment, ledger: Ledger, region: str, name: str) -> Variables:
    """What `kubeadm init` needs to know, but for the cluster's certificate authority, which is a secret."""
    node = bare_metal(environment, region).nodes[name]
    slices = ledger.clusters[region]
    return {
        "control_plane_kubernetes_version": environment.versions.kubernetes,
        "control_plane_cluster_name": region,
        "control_plane_node_name": name,
        "control_plane_address": str(node.address),
        "control_plane_endpoint": endpoint(environment, region),
        "control_plane_pod_cidr": str(slices.pods),
        "control_plane_service_cidr": str(slices.services),
        "control_plane_kube_proxy": {
            "mode": "iptables",
            # Every cluster's pods are local in this sense: what goes from pod to pod keeps its address.
            "detectLocalMode": "ClusterCIDR",
            "clusterCIDR": str(environment.addresses.pod_pool),
            **_kube_proxy(environment, region),
        },
        "control_plane_ignore_preflight": sorted(
            profile_of(environment, node.profile).kubeadm_ignore_preflight
        ),
    }


def join(environment: Environment, region: str, name: str) -> Variables:
    """What `kubeadm join` needs to know, but for the token and the authority's hash."""
    node = bare_metal(environment, region).nodes[name]
    return {
        "join_node_name": name,
        "join_endpoint": endpoint(environment, region),
        "join_ignore_preflight": sorted(profile_of(environment, node.profile).kubeadm_ignore_preflight),
    }


def edge(environment: Environment, region: str, name: str) -> Variables:
    """The zone that an edge host answers for, but for the gateways' addresses (`gdnsd_gateways`)."""
    balancer = environment.global_load_balancer
    if balancer is None:
        raise InventoryError(
            f"edge host '{name}' of region '{region}' has nothing to answer: the environment declares no "
            "globalLoadBalancer. Declare it, or remove the region's edges."
        )
    hosts = sorted({ingress.host for ingress in environment.ingresses.values()})
    foreign = [host for host in hosts if not host.endswith(f".{environment.domain}")]
    if foreign:
        raise InventoryError(
            f"the name servers answer for the domain '{environment.domain}' only; these ingress hosts are "
            f"not in it: {', '.join(foreign)}. Use hosts below the domain."
        )
    check = balancer.health_check
    return {
        "gdnsd_address": str(environment.regions[region].edges[name].address),
        "gdnsd_zone": environment.domain,
        "gdnsd_hosts": hosts,
        "gdnsd_name_servers": {
            server: str(host.address)
            for _, spec in sorted(environment.regions.items())
            for server, host in sorted(spec.edges.items())
        },
        "gdnsd_ttl": balancer.ttl,
        "gdnsd_health_check": {
            "interval": check.interval,
            "timeout": check.timeout,
            "down_threshold": check.down_threshold,
            "up_threshold": check.up_threshold,
        },
    }


def bare_metal(environment: Environment, region: str) -> BareMetalClusterSpec:
    """The region's cluster, which must be one that Crossmesh makes of machines."""
    cluster = environment.regions[region].cluster
    if not isinstance(cluster, BareMetalClusterSpec):
        raise InventoryError(
            f"region '{region}' has an adopted cluster; its machines are not Crossmesh's to set up"
        )
    return cluster


def control_plane_nodes(cluster: BareMetalClusterSpec) -> dict[str, Node]:
    """The nodes that run the cluster's control plane, sorted by name."""
    return {name: node for name, node in sorted(cluster.nodes.items()) if node.role is NodeRole.CONTROL_PLANE}


def endpoint(environment: Environment, region: str) -> str:
    """`address:port` of the cluster's API server."""
    nodes = list(control_plane_nodes(bare_metal(environment, region)).values())
    if len(nodes) != 1:
        raise InventoryError(
            f"region '{region}' declares {len(nodes)} control-plane nodes; 1 per cluster is supported today. "
            "Give exactly one of its nodes the role control-plane."
        )
    return f"{nodes[0].address}:{API_PORT}"


def profile_of(environment: Environment, name: str | None) -> HostProfile:
    """The host profile of that name; the empty one for None."""
    if name is None:
        return HostProfile()
    try:
        return environment.host_profiles[name]
    except KeyError:
        known = ", ".join(sorted(environment.host_profiles)) or "none"
        raise InventoryError(f"no host profile is named '{name}' (declared: {known})") from None


def _bundles(images: ImageBundles, role: NodeRole) -> list[str]:
    own = images.bundles if role is NodeRole.WORKER else ()
    return sorted({*_BUNDLES[role], *own})


def _apt(environment: Environment) -> Variables:
    return {
        "base_apt_sources": [
            {
                "name": source.name,
                "uri": source.uri,
                "suite": source.suite,
                "components": list(source.components),
                "signed_by": source.signed_by,
            }
            for source in environment.sources.apt
        ]
    }


def _kube_proxy(environment: Environment, region: str) -> Variables:
    """The kube-proxy fields of all profiles among the cluster's nodes: they share one configuration."""
    merged: Variables = {}
    owner: dict[str, str] = {}
    profiles = {node.profile for node in bare_metal(environment, region).nodes.values() if node.profile}
    for name in sorted(profiles):
        for field, value in sorted(profile_of(environment, name).kube_proxy.items()):
            if field in merged and merged[field] != value:
                raise InventoryError(
                    f"region '{region}': the host profiles '{owner[field]}' and '{name}' set kube-proxy's "
                    f"'{field}' to {merged[field]!r} and {value!r}, but a cluster has one kube-proxy "
                    "configuration. Make them agree."
                )
            merged[field], owner[field] = value, name
    return merged
