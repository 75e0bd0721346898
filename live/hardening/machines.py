"""Facts of declared hosts, read over ssh by one small program each, and what each point makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from access import ssh
from access.ssh import Connection
from live import logins, side_by_side
from live.hardening.facts import HostFacts
from live.hardening.model import CLUSTER, Entry, Point, Scope, apart, unknown
from live.hardening.points import OF_HOSTS, ORDER
from live.side_by_side import SECONDS, Ask
from report.errors import OperationsError
from stacks.load import Stack
from stacks.model import Host, Node

_SCRIPT = Path(__file__).with_name("host_script.py")
_MEMBER = "see that it is a member of its cluster: `pulumi up`, and `systemctl status kubelet` on the host"
_ADOPTED = "the cluster is adopted: its machines are its owner's, and not declared"


def look(stack: Stack, regions: Iterable[str], ask: Ask | None = None) -> list[Entry]:
    """All points of the declared hosts of some regions, side by side. Raises nothing for what hosts do.

    ask: gets what a host tells; by ssh where nothing is said.
    """
    specs = {region: stack.environment.regions[region] for region in sorted(regions)}
    adopted = [region for region, spec in specs.items() if spec.cluster.kind == "adopted"]
    hosts = [
        (region, name, host) for region, spec in specs.items() for name, host in sorted(spec.hosts.items())
    ]
    entries = [entry for region in adopted for entry in _of_adopted(region)]
    return [*entries, *side_by_side.of_hosts(lambda host: _host(stack, ask or asked, *host), hosts)]


def asked(name: str, connection: Connection) -> Any:
    """What a host tells. Raises `AccessError`."""
    return ssh.ask(name, connection, _SCRIPT.read_bytes(), ORDER, what="its settings", timeout=SECONDS)


def of_facts(region: str, name: str, host: Host, facts: HostFacts) -> Iterator[Entry]:
    """Each point that applies to a host, judged."""
    for point in points_of(host):
        yield Entry(region, name, point, point.judge(facts), _MEMBER)


def points_of(host: Host) -> list[Point[HostFacts]]:
    """The points that apply to a host: of an edge, of every node, of one with a control plane."""
    scopes = {Scope.HOST}
    if isinstance(host, Node):
        scopes |= {Scope.NODE, *((Scope.CONTROL_PLANE,) if host.role.value == "control-plane" else ())}
    return [point for point in OF_HOSTS if point.scope in scopes]


def _host(stack: Stack, ask: Ask, region: str, name: str, host: Host) -> list[Entry]:
    try:
        facts = HostFacts.told(ask(name, logins.login(stack, name, host.ssh_address)))
    except OperationsError as error:
        why = unknown(error.message.removeprefix(f"{name}: "))
        return [Entry(region, name, point, why, error.fix) for point in points_of(host)]
    return list(of_facts(region, name, host, facts))


def _of_adopted(region: str) -> Iterator[Entry]:
    """What is about the machines of a cluster that has none here. Its edges have their own."""
    for point in OF_HOSTS:
        if point.scope is not Scope.HOST:
            yield Entry(region, CLUSTER, point, apart(_ADOPTED))
