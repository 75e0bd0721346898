"""What is reached without a proxy."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from playbooks.phase import Host

_HERE = ("127.0.0.0/8", "::1", "localhost", ".cluster.local", ".svc")


def beside(host: Host) -> list[str]:
    """What a host reaches without its proxy, in the form of NO_PROXY: itself, all pods and services, the
    machines of its region with their API server, and what is declared.

    Of other regions' machines a host asks nothing by HTTP; named here, a new region would start containerd
    anew everywhere.
    """
    environment, proxy = host.environment, host.environment.sources.proxy
    declared = proxy.beside if proxy else ()
    pools = environment.addresses.pod_pool, environment.addresses.service_pool
    machines = [host.spec.machine_network] if host.spec.machine_network else _api_servers(host)
    return list(dict.fromkeys([*_HERE, *map(str, (*pools, *machines)), *declared]))


def _api_servers(host: Host) -> list[IPv4Address]:
    """Of a region whose machines share no network: with all of its nodes, each new one would count."""
    cluster = host.spec.cluster
    return [node.address for node in cluster.control_planes.values()] if cluster.kind == "bareMetal" else []


def is_beside(host: str, names: Iterable[str]) -> bool:
    """Whether a host, by name or address, is reached without the proxy, by names in the form of NO_PROXY."""
    return any(_matches(host, name.partition(":")[0] if "." in name else name) for name in names)


def host_of(url: str) -> str:
    """The host of a URL, by name or address."""
    return urlsplit(url).hostname or ""


def _matches(host: str, name: str) -> bool:
    try:
        network = ip_network(name)
    except ValueError:
        return host.endswith(f".{name.removeprefix('.')}") or host == name
    try:
        return ip_address(host) in network
    except ValueError:
        return False
