"""What the things of a platform rest on, in keys of checks. Pure: it follows from what is declared.

A foundation comes before what stands on it, so nothing rests on itself. It is named as closely as a check can
tell: a region's pods rest on the kubelets of its nodes, not on the ssh by which hosts are looked at.
"""

from __future__ import annotations

from live.doctor import keys
from live.doctor.keys import Key
from live.doctor.platform import Platform
from live.prober import probing
from stacks.model.clusters import NodeRole


def control_planes(platform: Platform, region: str) -> tuple[str, ...]:
    """Names of the machines of a region's control plane; none of an adopted cluster."""
    nodes = platform.stack.environment.regions[region].nodes
    return tuple(name for name, node in sorted(nodes.items()) if node.role is NodeRole.CONTROL_PLANE)


def kubelets(platform: Platform, region: str) -> tuple[Key, ...]:
    """Of the nodes of a region; of an adopted cluster its nodes as a whole."""
    nodes = platform.stack.environment.regions[region].nodes
    return tuple(map(keys.kubelet, sorted(nodes))) or (keys.nodes(region),)


def has_workers(platform: Platform, region: str) -> bool:
    """Whether nodes are declared in a region that take pods of applications."""
    nodes = platform.stack.environment.regions[region].nodes.values()
    return any(node.takes_workload for node in nodes)


def credentials(platform: Platform, region: str) -> tuple[Key, ...]:
    """Of whoever shows a certificate to a cluster, or serves it by one: those that `up` issued, and of a
    cluster that is made of machines those on them.
    """
    made = (keys.host_certificates(region),) if platform.stack.environment.regions[region].nodes else ()
    return (keys.ISSUED_CERTIFICATES, *made)


def pods(platform: Platform, region: str) -> tuple[Key, ...]:
    """Of pods of a region: somebody who makes them, and machines that they run on.

    Of several control planes any one does: that is what their API tells.
    """
    several = control_planes(platform, region)
    made = (keys.api_server(region),) if len(several) > 1 else tuple(map(keys.control_plane, several))
    room = (keys.schedulable(region),) if has_workers(platform, region) else ()
    return (*made, *kubelets(platform, region), *room)


def services(platform: Platform, region: str) -> tuple[Key, ...]:
    """Of pods that call a service of the region by its address, the API server's among them: packets go to
    other nodes, and answers come back to the pod's slice.
    """
    proxied = platform.stack.environment.regions[region].cluster.kind != "adopted"
    proxy = (keys.kube_proxy(region),) if proxied else ()
    return (*pods(platform, region), *neighbours(platform, region), *proxy)


def sidecars(platform: Platform, region: str) -> tuple[Key, ...]:
    """Of Envoys of the region: they find istiod by its name."""
    return (*services(platform, region), keys.coredns(region), keys.istiod(region))


def neighbours(platform: Platform, region: str) -> tuple[Key, ...]:
    """Of packets between nodes of one region: what each of them tells the others of its slice.

    Their routes are none of it, for these lead to other regions too, which may be gone.
    """
    environment = platform.stack.environment
    spec = environment.regions[region]
    nodes = sorted(spec.nodes)
    tunnels = [node for node in nodes if environment.tunnel_peers(node).keys() & spec.nodes.keys()]
    told = keys.sessions if spec.fabric else keys.services
    return (*map(told, nodes), *map(keys.tunnels, tunnels))


def ways(platform: Platform, region: str) -> tuple[Key, ...]:
    """Of packets between pods of the region and others: routes and tunnels of its nodes."""
    environment = platform.stack.environment
    nodes = sorted(environment.regions[region].nodes)
    tunnels = (keys.tunnels(node) for node in nodes if environment.tunnel_peers(node))
    return (*map(keys.routes, nodes), *tunnels)


def routes(platform: Platform, node: str) -> tuple[Key, ...]:
    """Of a node's routes: its own tunnels, and the sessions of all nodes, by which they tell of their slices.

    A node's routes do not rest on those of another: each learns from the routers.
    """
    environment = platform.stack.environment
    told = [name for spec in environment.regions.values() if spec.fabric for name in sorted(spec.nodes)]
    tunnels = (keys.tunnels(node),) if environment.tunnel_peers(node) else ()
    return (keys.SLICES, *machines(platform, node), *tunnels, *map(keys.sessions, told))


def machines(platform: Platform, node: str) -> tuple[Key, ...]:
    """Of a node's ways: itself, and the machines at their other ends, as they and their clusters say."""
    regions = platform.stack.environment.regions.values()
    others = sorted({name for region in regions for name in region.nodes} - {node})
    return (keys.services(node), *map(keys.services, others), *map(keys.kubelet, others))


def applications(platform: Platform, region: str) -> tuple[Key, ...]:
    """Of sidecars that are asked: the applications of the mesh in a region."""
    return tuple(keys.application(region, name) for name in platform.applications_of_mesh())


def all_applications(platform: Platform, *names: str) -> tuple[Key, ...]:
    """Of what any region may answer: these applications, by default those of the mesh, in all regions."""
    wanted = names or platform.applications_of_mesh()
    return tuple(keys.application(region, name) for region in platform.regions for name in wanted)


def gateway(platform: Platform, region: str) -> tuple[Key, ...]:
    """Of connections to a region's gateway."""
    balanced = platform.stack.environment.regions[region].load_balancer is not None
    return (
        *services(platform, region),
        *((keys.metallb(region),) if balanced else ()),
        keys.gateway(region),
        keys.gateway_address(region),
    )


def serving(platform: Platform, region: str) -> tuple[Key, ...]:
    """Of answers of a region's gateway: connections, certificates, and somebody behind it."""
    behind = sorted(
        {entry.application for spec in platform.ingresses.values() for entry in spec.paths}
        | {name for _, spec in platform.routes for name in spec.applications}
    )
    mesh = (keys.endpoints(region),) if platform.applications_of_mesh() else ()
    return (
        *gateway(platform, region),
        *(keys.certificate(region, exposed.host) for exposed in platform.exposed),
        *(keys.route(region, name) for name, _ in platform.routes),
        *(all_applications(platform, *behind) if behind else ()),
        *mesh,
    )


def served(platform: Platform) -> tuple[Key, ...]:
    """Of answers of any region: that each gateway serves."""
    return tuple(map(keys.gateway_readiness, platform.regions)) if platform.exposed else ()


def answers(platform: Platform, *, dns: bool) -> tuple[Key, ...]:
    """Of a client's request: name servers, where it asks them, and gateways."""
    named = dns and platform.stack.environment.global_load_balancer is not None
    servers = map(keys.name_server, platform.outputs.nameservers) if named else ()
    return (*servers, *served(platform))


def name_server(platform: Platform, address: object) -> tuple[Key, ...]:
    """Of the answers of a name server: its services, what that sees of gateways, and one to name."""
    edges = [name for _, name, edge in probing(platform.stack.environment) if edge.address == address]
    return (*map(keys.services, edges), *map(keys.health_view, edges), *served(platform))
