"""Nodes, gateways and DNS answers at a glance: asked at the same time, each answer bounded."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product

from access import network, pending
from access.errors import AccessError
from access.locks import Owner, locks_of
from access.outputs import NameServer
from live import prober
from live.doctor.platform import Platform
from live.doctor.pods import says
from live.gateways import gateway_of, gateways_of, owners, unready
from report.errors import OperationsError


@dataclass(frozen=True)
class Line:
    """One thing with its state; `well` is false where somebody should look."""

    group: str
    name: str
    state: str
    well: bool


def read_status(platform: Platform) -> list[Line]:
    """Locks, what a killed run left, nodes, gateways, name servers and what they see. Unreachable is a state,
    no error."""
    hosts = [exposed.example for exposed in platform.exposed if exposed.dns]
    names = product(platform.outputs.nameservers, hosts)
    questions: list[Callable[[], list[Line]]] = [
        partial(_locks, platform.stack.name),
        partial(_interrupted, platform.stack.name),
        *(partial(_nodes, platform, region) for region in platform.regions),
        *(partial(_gateway, platform, region) for region in platform.regions),
        *(partial(_name, platform, server, host) for server, host in names),
        *(
            partial(_views, platform, name, str(edge.address))
            for _, name, edge in prober.probing(platform.stack.environment)
        ),
    ]
    with ThreadPoolExecutor(len(questions)) as pool:
        return [line for lines in pool.map(lambda question: question(), questions) for line in lines]


def _locks(stack: str) -> list[Line]:
    try:
        locks = locks_of(stack)
    except OperationsError as error:
        return [Line("locks", stack, error.message, False)]
    return [Line("locks", stack, lock.describe(), lock.owner is not Owner.DEAD) for lock in locks]


def _interrupted(stack: str) -> list[Line]:
    try:
        operations = pending.read(stack)
    except OperationsError as error:
        return [Line("state", stack, f"cannot be read: {error.message}", False)]
    fix = f"`crossmesh lock clear --stack {stack}` and `up` finish it"
    return [Line("state", stack, f"{operation}: {fix}", False) for operation in operations]


def _nodes(platform: Platform, region: str) -> list[Line]:
    group = f"nodes of {region}"
    try:
        nodes = platform.clusters[region].core.list_node().items
    except AccessError as error:
        return [Line(group, platform.outputs.regions[region].api_server, error.message, False)]
    lines = []
    for node in sorted(nodes, key=lambda node: node.metadata.name):
        ready = says(node, "Ready")
        state = "Ready" if ready else "not Ready"
        if node.spec.unschedulable:
            state += ", cordoned"
        state += f", {node.status.node_info.kubelet_version}"
        lines.append(Line(group, node.metadata.name, state, ready and not node.spec.unschedulable))
    return lines


def _gateway(platform: Platform, region: str) -> list[Line]:
    gateway = gateway_of(platform.outputs, region)
    if gateway is None:
        return [Line("gateways", region, "no address yet", False)]
    words = "; ".join(f"{address}: {why}" for address, why in unready(platform, gateway).items())
    well = "ready" if platform.exposed else "not asked: nothing is exposed"
    return [Line("gateways", f"{region} {gateway}", words or well, not words)]


def _name(platform: Platform, server: NameServer, host: str) -> list[Line]:
    answer = network.ask(server, host)
    regions = owners(gateways_of(platform.outputs))
    named = ", ".join(f"{address} ({regions.get(address, '?')})" for address in answer.records)
    state = answer.problem or f"{named}, TTL {answer.ttl} s"
    return [Line("names", f"{server} {host}", state, not answer.problem)]


def _views(platform: Platform, name: str, address: str) -> list[Line]:
    """What an edge host sees of the gateways, and how old that is."""
    try:
        health = prober.read(platform.stack, name, address)
    except AccessError as error:
        return [Line("views", name, error.message, False)]
    lines = [
        Line("views", f"{name} {health.place(target)}", str(view), view.answered and not health.stale(view))
        for target, view in health.views.items()
    ]
    if health.counted:
        lines.append(Line("views", f"{name} gdnsd", health.counted, True))
    return [*lines, *(Line("views", name, words, False) for words, _ in health.complaints())]
