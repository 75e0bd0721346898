"""Names: edge hosts, which answer for the environment's domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playbooks.phase import Host, Phase, Undo, Variables, Work, is_edge
from playbooks.work.machines import PREPARE

if TYPE_CHECKING:
    from stacks.model import Environment, HealthCheck
    from stacks.routing import Routing, Tier, Tiers

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
    policies = [gdnsd_policy(each, database(environment)) for each in answers.routings]
    return {
        **({"gdnsd_policies": policies} if policies else {}),
        "gdnsd_address": str(host.address),
        "gdnsd_region": host.region,
        "gdnsd_domain": answers.zone,
        "gdnsd_zones": environment.names,
        "gdnsd_apexes": sorted(zone for zone, hosts in environment.names.items() if zone in hosts),
        "gdnsd_hosts": {
            exposed.example: list(exposed.asked)
            for exposed in sorted(environment.exposed, key=lambda exposed: exposed.host)
        },
        "gdnsd_name_servers": {name: server.address for name, server in answers.servers.items()},
        "gdnsd_ttl": answers.ttl,
        "gdnsd_health_check": answers.health.counting,
        **_hold(environment, answers.health),
    }


def _hold(environment: Environment, health: HealthCheck) -> Variables:
    """How regions that failed are held out; nothing where none is."""
    balancer = environment.global_load_balancer
    if balancer is None or not health.holds:
        return {}
    by_hand = health.comeback == "byHand"
    return {
        "gdnsd_hold": {
            "by_hand": by_hand,
            "drained": sorted(balancer.drained),
            "returned": dict(sorted(health.returned.items())),
            "seconds": health.hold_down,
        }
    }


def _trusts_the_system(host: Host) -> bool:
    """Whether a name server verifies a given certificate by its system's own authorities."""
    certificates = host.environment.certificates.values()
    return is_edge(host) and any(certificate.given.ca is None for certificate in certificates)


def database(environment: Environment) -> str:
    """Path of the database of countries on the edge hosts; empty where none is declared."""
    balancer = environment.global_load_balancer
    return (balancer and balancer.geoip_database) or ""


def gdnsd_policy(routing: Routing, database: str = "") -> dict[str, Any]:
    """A policy in gdnsd's terms: a tier is a datacenter, and a place an order of these.

    Clients that gdnsd finds in no place have the order of `datacenters`: that of everybody else, and behind
    it what only places name, which is reached where all of its regions are down, and then changes nothing.
    """
    orders = (routing.tiers, *(place.tiers for place in routing.places.values()))
    named = {_named(tier): tier for tiers in orders for tier in tiers}
    by_country = _map(routing)
    return {
        "name": routing.name,
        "hosts": list(routing.hosts),
        "plugin": "geoip" if routing.places else "metafo",
        "datacenters": [
            {"name": name, "regions": dict(tier.regions), "weighted": tier.weighted}
            for name, tier in named.items()
        ],
        "nets": {
            prefix: _order(place.tiers) for place in routing.places.values() for prefix in place.prefixes
        },
        "map": by_country,
        "database": database if by_country else "",
    }


def _named(tier: Tier) -> str:
    """What a tier is called; a region's name has no underscore."""
    return "_".join(tier.regions)


def _order(tiers: Tiers) -> list[str]:
    return [_named(tier) for tier in tiers]


def _map(routing: Routing) -> dict[str, dict[str, list[str]]]:
    """By continent and country. A country is below every continent: the database says which one it is of."""
    from stacks.countries import CONTINENTS

    places = routing.places.values()
    countries = {code: _order(place.tiers) for place in places for code in place.countries}
    continents = {code: {"default": _order(place.tiers)} for place in places for code in place.continents}
    codes = CONTINENTS if countries else sorted(continents)
    return {code: {**continents.get(code, {}), **countries} for code in codes}


WORK = (
    Work(EDGE, is_edge, _zone, packages=("gdnsd", "python3")),
    Work(EDGE, _trusts_the_system, lambda _: {}, packages=("ca-certificates",)),
)
