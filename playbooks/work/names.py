"""Names: edge hosts, which answer for the environment's domain."""

from __future__ import annotations

from playbooks.phase import Host, Phase, Undo, Variables, Work, is_edge
from playbooks.work.machines import PREPARE

EDGE = Phase(
    name="edge",
    change="what the name server answers may change",
    undo=Undo(services=("gdnsd.service", "crossmesh-health.service")),
    after=(PREPARE.name,),
    rolled=True,
)


def _zone(host: Host) -> Variables:
    """The zones that an edge host answers for, but for what only the graph knows: the gateways' addresses
    (`gdnsd_gateways`), and what their certificates are verified with (`gdnsd_ca_certificate`)."""
    environment = host.environment
    balancer = environment.global_load_balancer
    assert balancer is not None, "edge hosts are declared only where there is something to balance"
    check = balancer.health_check
    return {
        "gdnsd_address": str(host.address),
        "gdnsd_region": host.region,
        "gdnsd_domain": environment.domain,
        "gdnsd_zones": environment.names,
        "gdnsd_apexes": sorted(zone for zone, hosts in environment.names.items() if zone in hosts),
        "gdnsd_hosts": {
            ingress.example: [path.path for path in ingress.paths]
            for ingress in sorted(environment.ingresses.values(), key=lambda ingress: ingress.host)
        },
        "gdnsd_name_servers": {
            server: str(edge.address)
            for _, spec in sorted(environment.regions.items())
            for server, edge in sorted(spec.edges.items())
        },
        "gdnsd_ttl": balancer.ttl,
        "gdnsd_health_check": {
            "interval": check.interval,
            "timeout": check.timeout,
            "down_threshold": check.down_threshold,
            "up_threshold": check.up_threshold,
        },
    }


WORK = (Work(EDGE, is_edge, _zone, packages=("gdnsd", "python3")),)
