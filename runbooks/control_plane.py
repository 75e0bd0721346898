"""A cluster on machines, the hosts of its control plane, and the way to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from access import ssh
from access.cluster import Cluster
from access.errors import AccessError
from access.paths import stack_file
from access.ssh import Connection
from live import logins
from live.state import read_stack
from playbooks.work.clusters import ETCD_LIBRARY
from report.errors import ConfigurationError, OperationsError
from runbooks.locks import InCluster, OnHost, Place
from stacks.load import Stack
from stacks.model import RegionSpec
from stacks.model.clusters import BareMetalClusterSpec, NodeRole

_ETCD_SECONDS = 90.0


def declared_region(stack: Stack, name: str) -> RegionSpec:
    """A region of a stack. Raises ConfigurationError for one that is not declared."""
    regions = stack.environment.regions
    if name not in regions:
        raise ConfigurationError(
            f"the declaration has no region {name}", fix=f"it has {', '.join(sorted(regions))}"
        )
    return regions[name]


def on_machines(stack_name: str, region: str, what: str) -> tuple[Stack, BareMetalClusterSpec]:
    """A stack, and its region's cluster on machines. what: is its owner's of an adopted one, with the verb.

    Raises ConfigurationError for a region that is not declared, or whose cluster is adopted.
    """
    stack = read_stack(stack_file(stack_name))
    spec = declared_region(stack, region).cluster
    if spec.kind != "bareMetal":
        raise ConfigurationError(
            f"the cluster of {region} is adopted: {what} its owner's", fix="name a region on machines"
        )
    return stack, spec


def serving(hosts: Sequence[tuple[str, Connection]]) -> tuple[str, Connection]:
    """The first host of a control plane on which etcd runs, of several; the only one, whether it does or not.

    Raises AccessError where none answers, and OperationsError where etcd runs on none.
    """
    if len(hosts) == 1:
        return hosts[0]
    why: OperationsError | None = None
    for host, connection in hosts:
        try:
            done = ssh.run(host, connection, ["pgrep", "-x", "etcd"])
        except AccessError as error:
            why = why or error
            continue
        if done.returncode == 0:
            return host, connection
        why = why or OperationsError(
            f"{host}: etcd does not run", fix="see `crossmesh doctor`, control-plane/"
        )
    assert why is not None
    raise why


def control_plane(stack: Stack, spec: BareMetalClusterSpec) -> list[tuple[str, Connection]]:
    """Hosts of a cluster's control plane in declared order. Raises AccessError where there is no way."""
    return [
        (name, logins.login(stack, name, node.ssh_address))
        for name, node in spec.nodes.items()
        if node.role is NodeRole.CONTROL_PLANE
    ]


def places(stack: Stack, region: str, cluster: Cluster) -> list[Place]:
    """Where a run's locks lie: on the hosts of a region's control plane, or in an adopted cluster itself.

    Raises AccessError where there is no way to a host.
    """
    spec = stack.environment.regions[region].cluster
    if spec.kind != "bareMetal":
        return [InCluster(cluster)]
    return [OnHost(host, way) for host, way in control_plane(stack, spec)]


def ask_etcd_beside(
    stack: Stack, spec: BareMetalClusterSpec, node: str, program: str, order: Mapping[str, Any], cannot: str
) -> dict[str, Any]:
    """What the first host of a control plane says, other than `node`, whose etcd can be asked.

    program: Python that follows the library by which plays ask etcd; it reads the order, a line of JSON, and
    tells one too: its `why` has the next host asked. cannot: what is not had where none can, in words. Raises
    OperationsError then.
    """
    source, words = ETCD_LIBRARY.read_bytes() + program.encode(), []
    for host, way in control_plane(stack, spec):
        if host == node:
            continue
        try:
            told = ssh.ask(host, way, source, order, what="etcd's members", timeout=_ETCD_SECONDS)
        except AccessError as error:
            words.append(error.message)
            continue
        if "why" not in told:
            return told
        words.append(f"{host}: {told['why']}")
    raise OperationsError(
        f"{cannot}: {'; '.join(words)}",
        fix="bring more than half of the members back first; where that cannot be, `rebuild-etcd`",
    )
