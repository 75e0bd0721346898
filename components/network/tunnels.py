"""Tunnels between nodes: each has a key, whose private part its own host gets, and the public one others."""

from __future__ import annotations

from pulumi import Resource

from components.build import Build
from components.component import named
from playbooks.provider.sdk import HostPhase, TunnelKey
from playbooks.work.network import TUNNEL


def declare(build: Build, host: str, parent: Resource) -> HostPhase:
    """One node's end of its tunnels. host: one that has any."""
    peers = build.environment.tunnel_peers(host)
    return build.hosts.declare(
        host,
        TUNNEL,
        parent=parent,
        variables={"tunnel_public_keys": {peer: _key(build, peer).public_key for peer in peers}},
        secret_variables={"tunnel_private_key": _key(build, host).private_key},
    )


def _key(build: Build, host: str) -> TunnelKey:
    """The key of a node of any region: tunnels of others may name it before its own are declared."""
    if host not in build.tunnel_keys:
        region = next(name for name, spec in build.environment.regions.items() if host in spec.hosts)
        options = build.own(build.regions[region])
        build.tunnel_keys[host] = TunnelKey(named(host, "tunnel-key"), host=host, opts=options)
    return build.tunnel_keys[host]
