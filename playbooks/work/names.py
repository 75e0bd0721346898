"""Names: edge hosts, which answer for the environment's domain."""

from __future__ import annotations

from playbooks.phase import Host, Phase, Undo, Variables, Work, is_edge
from playbooks.work.machines import PREPARE

NAME_SERVICE = "gdnsd.service"
"""The name server."""
HEALTH_SERVICE = "crossmesh-health.service"
"""The prober of gateways, which the role sets up."""

EDGE = Phase(
    name="edge",
    change="what the name server answers may change",
    undo=Undo(services=(NAME_SERVICE, HEALTH_SERVICE)),
    after=(PREPARE.name,),
    rolled=True,
)


def _zone(host: Host) -> Variables:
    """The zones that an edge host answers for, but for what only the graph knows: the gateways' addresses
    (`gdnsd_gateways`), and what their certificates are verified with (`gdnsd_ca_certificate`)."""
    # Who reads phases alone need not wait for the model.
    from stacks.answers import Answers

    environment = host.environment
    # Edge hosts are declared only where there is something to balance.
    answers = Answers.of(environment, {})
    return {
        "gdnsd_address": str(host.address),
        "gdnsd_region": host.region,
        "gdnsd_domain": answers.zone,
        "gdnsd_zones": environment.names,
        "gdnsd_apexes": sorted(zone for zone, hosts in environment.names.items() if zone in hosts),
        "gdnsd_hosts": {
            ingress.example: [path.path for path in ingress.paths]
            for ingress in sorted(environment.ingresses.values(), key=lambda ingress: ingress.host)
        },
        "gdnsd_name_servers": {name: server.address for name, server in answers.servers.items()},
        "gdnsd_ttl": answers.ttl,
        "gdnsd_health_check": answers.health.model_dump(),
    }


def _trusts_the_system(host: Host) -> bool:
    """Whether a name server verifies a given certificate by its system's own authorities."""
    certificates = host.environment.certificates.values()
    return is_edge(host) and any(certificate.given.ca is None for certificate in certificates)


WORK = (
    Work(EDGE, is_edge, _zone, packages=("gdnsd", "python3")),
    Work(EDGE, _trusts_the_system, lambda _: {}, packages=("ca-certificates",)),
)
