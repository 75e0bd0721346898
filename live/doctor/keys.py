"""The ids of all checks: written here alone, so that whoever rests on a check means that one and no text.

An id is `<kind>`, or `<kind>/<region, host or name>`. Ids are stable: rules of reports are named after them.
"""

from __future__ import annotations

from typing import NewType

Key = NewType("Key", str)
"""The id of a check."""

SLICES = Key("slices")
ISSUED_CERTIFICATES = Key("issued-certificates")
MESH_AUTHORITIES = Key("mesh-authorities")
PUBLISHED_CA = Key("published-ca")
NAME_SERVERS_AGREE = Key("name-servers-agree")


def host(name: str) -> Key:
    """A machine."""
    return Key(f"host/{name}")


def services(name: str) -> Key:
    """The services that a machine runs."""
    return Key(f"services/{name}")


def host_certificates(region: str) -> Key:
    """Certificates on the nodes of a region."""
    return Key(f"host-certificates/{region}")


def cluster_certificates(region: str) -> Key:
    """Certificates that a cluster shows."""
    return Key(f"cluster-certificates/{region}")


def kubelet(node: str) -> Key:
    """A node, as its cluster sees it."""
    return Key(f"kubelet/{node}")


def nodes(region: str) -> Key:
    """The nodes of a region are those that are declared."""
    return Key(f"nodes/{region}")


def schedulable(region: str) -> Key:
    """A region has a node for new pods."""
    return Key(f"schedulable/{region}")


def containerd(region: str) -> Key:
    """The release of containerd on a region's nodes."""
    return Key(f"containerd/{region}")


def backup(region: str) -> Key:
    """The newest backup of a cluster's etcd."""
    return Key(f"backup/{region}")


def admission(region: str) -> Key:
    """Webhooks that a region's API servers ask before anything is written."""
    return Key(f"admission/{region}")


def control_plane(node: str) -> Key:
    """etcd, API server, controllers and scheduler on one machine."""
    return Key(f"control-plane/{node}")


def etcd(region: str) -> Key:
    """The members of a region's etcd, and who holds the address of its API."""
    return Key(f"etcd/{region}")


def api_address(region: str) -> Key:
    """Where nodes and all whom a region's cluster tells of itself ask its API."""
    return Key(f"api-address/{region}")


def api_server(region: str) -> Key:
    """The API server of a region."""
    return Key(f"api-server/{region}")


def part(name: str, region: str) -> Key:
    """A part of the platform in a region: coredns, kube-proxy, istiod, metallb, gateway."""
    return Key(f"{name}/{region}")


def coredns(region: str) -> Key:
    """The names of a region's services."""
    return part("coredns", region)


def kube_proxy(region: str) -> Key:
    """The addresses of a region's services."""
    return part("kube-proxy", region)


def istiod(region: str) -> Key:
    """The mesh's control plane in a region."""
    return part("istiod", region)


def metallb(region: str) -> Key:
    """The load balancer of a region."""
    return part("metallb", region)


def gateway(region: str) -> Key:
    """The pods of a region's gateway."""
    return part("gateway", region)


def pod_addresses(region: str) -> Key:
    """Addresses of pods are of their nodes' slices."""
    return Key(f"pod-addresses/{region}")


def flat(source: str, target: str) -> Key:
    """A pod of one region reaches one of another."""
    return Key(f"flat/{source}/{target}")


def sessions(node: str) -> Key:
    """A node's sessions with routers."""
    return Key(f"sessions/{node}")


def routes(node: str) -> Key:
    """A node's ways to the others' pods."""
    return Key(f"routes/{node}")


def tunnels(node: str) -> Key:
    """A node's tunnels."""
    return Key(f"tunnels/{node}")


def identities(region: str) -> Key:
    """Certificates of a region's sidecars."""
    return Key(f"identities/{region}")


def remote_clusters(region: str) -> Key:
    """istiod of a region reads the other clusters."""
    return Key(f"remote-clusters/{region}")


def endpoints(region: str) -> Key:
    """Sidecars of a region know the applications of all regions."""
    return Key(f"endpoints/{region}")


def strict_mtls(region: str) -> Key:
    """Plain text is refused in a region."""
    return Key(f"strict-mtls/{region}")


def application(region: str, name: str) -> Key:
    """An application in a region."""
    return Key(f"application/{region}/{name}")


def gateway_address(region: str) -> Key:
    """The gateway's service has its addresses."""
    return Key(f"gateway-address/{region}")


def gateway_readiness(region: str) -> Key:
    """The gateway serves clients at its addresses."""
    return Key(f"gateway-readiness/{region}")


def certificate(region: str, served_host: str) -> Key:
    """What a region's gateway presents for a host."""
    return Key(f"certificate/{region}/{served_host}")


def https(served_host: str, path: str) -> Key:
    """A path is answered by its application. path: begins with a slash."""
    return Key(f"https/{served_host}{path}")


def http(served_host: str) -> Key:
    """Plain HTTP of a host is redirected."""
    return Key(f"http/{served_host}")


def route(region: str, name: str) -> Key:
    """A region's gateway has taken a route."""
    return Key(f"route/{region}/{name}")


def name_server(server: object) -> Key:
    """What a name server answers. server: its address and port."""
    return Key(f"name-server/{server}")


def delegation(zone: str) -> Key:
    """What the parent of a zone says of it."""
    return Key(f"delegation/{zone}")


def country_database(edge: str) -> Key:
    """The database of countries on an edge host."""
    return Key(f"country-database/{edge}")


def health_view(edge: str) -> Key:
    """What an edge host sees of the gateways."""
    return Key(f"health-view/{edge}")
