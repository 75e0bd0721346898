"""The hosts of a control plane, and the way to each."""

from __future__ import annotations

from access.ssh import Connection
from live import logins
from stacks.load import Stack
from stacks.model.clusters import BareMetalClusterSpec, NodeRole


def control_plane(stack: Stack, spec: BareMetalClusterSpec) -> list[tuple[str, Connection]]:
    """Hosts of a cluster's control plane in declared order. Raises AccessError where there is no way."""
    return [
        (name, logins.login(stack, name, node.ssh_address))
        for name, node in spec.nodes.items()
        if node.role is NodeRole.CONTROL_PLANE
    ]
