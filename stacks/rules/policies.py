"""Rules over policies of the global load balancer: whom they name, and that they can be kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import combinations

from stacks.countries import CONTINENT_OF
from stacks.errors import KeyPath
from stacks.model import GeographyPlace, RoutingPolicy
from stacks.routing import order
from stacks.rules.check import Check, repeated
from stacks.wording import suggestion

_AT = "globalLoadBalancer"
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")


def _policies(check: Check) -> Iterator[tuple[KeyPath, RoutingPolicy]]:
    """Every policy that is intact, with its path."""
    balancer = check.environment.global_load_balancer
    if balancer is None:
        return
    if balancer.policy is not None and check.intact(_AT, "policy"):
        yield (_AT, "policy"), balancer.policy
    for host, policy in balancer.host_policies.items():
        if check.intact(_AT, "hostPolicies", host):
            yield (_AT, "hostPolicies", host), policy


def _places(check: Check) -> Iterator[tuple[KeyPath, RoutingPolicy, GeographyPlace]]:
    for path, policy in _policies(check):
        for name, place in policy.geography.items():
            yield (*path, "geography", name), policy, place


def policies_name_regions(check: Check) -> None:
    """Policies name regions that there are: another one could never be answered."""
    balancer, fix = check.environment.global_load_balancer, "take it out"
    for path, policy in _policies(check):
        for region in policy.weights:
            check.refers((*path, "weights", region), region, "region", "regions", fix)
        _listed(check, (*path, "failover"), policy.failover)
    for path, _, place in _places(check):
        _listed(check, (*path, "regions"), place.regions)
        _listed(check, (*path, "failover"), place.failover)
        for index, region in enumerate(place.failover):
            if region in place.regions:
                words = "`failover` names regions that stand in for those of the place"
                check.problem(
                    (*path, "failover", index), region, words, "take it out of one of the two lists"
                )
    if balancer is not None and check.intact(_AT, "drained"):
        _listed(check, (_AT, "drained"), balancer.drained)


def _listed(check: Check, path: KeyPath, regions: tuple[str, ...]) -> None:
    for index, region in enumerate(regions):
        check.refers((*path, index), region, "region", "regions", "take it out")
    for _, (index, region) in repeated(enumerate(regions), lambda entry: entry[1]):
        check.problem((*path, index), f"{region} again", "a region is in a list once", "take it out here")


def weights_are_whole(check: Check) -> None:
    """Where there are weights, each region has one, and they do not sum to nothing."""
    regions = check.environment.regions
    for path, policy in _policies(check):
        if not policy.weights or not check.intact("regions"):
            continue
        if missing := sorted(regions.keys() - policy.weights.keys()):
            check.problem(
                (*path, "weights"),
                f"no weight for {', '.join(missing)}",
                "each region has a weight; 0 for one that stands by",
                f"add {', '.join(f'{region}: 0' for region in missing)}",
            )
        if not any(policy.weights.values()):
            check.problem(
                (*path, "weights"),
                "weights that sum to 0",
                "one region has a weight or more",
                "write one above 0",
            )


def prefixes_are_apart(check: Check) -> None:
    """Prefixes of a policy do not overlap: a client is of one place, whoever reads the declaration."""
    for path, policy in _policies(check):
        every = [
            (network, (*path, "geography", name, "prefixes", index))
            for name, place in policy.geography.items()
            for index, network in enumerate(place.prefixes)
        ]
        for (one, first), (other, second) in combinations(every, 2):
            if one.overlaps(other):
                again = "again" if one == other else f"which overlaps {one}"
                check.problem(
                    second,
                    f"{other}, {again} (line {check.line(*first)})",
                    "a client is of one place: prefixes neither repeat nor overlap",
                    "take one of the two out, or divide the larger one",
                )


def countries_are_of_one_place(check: Check) -> None:
    """Countries are those of ISO 3166-1, and countries and continents are of one place each."""
    for path, policy in _policies(check):
        for kind in ("countries", "continents"):
            every = [
                ((*path, "geography", name, kind, index), code)
                for name, place in policy.geography.items()
                for index, code in enumerate(getattr(place, kind))
            ]
            for where, code in every:
                if kind == "countries" and code not in CONTINENT_OF:
                    fix = {"UK": "write GB", "EL": "write GR"}.get(code, "look it up in ISO 3166-1")
                    check.problem(where, code, "a country of ISO 3166-1", suggestion(code, (), fix))
            for (first, _), (where, code) in repeated(every, lambda entry: entry[1]):
                check.problem(
                    where,
                    f"{code} again (line {check.line(*first)})",
                    f"{kind} are of one place",
                    "take it out here",
                )


def places_have_clients(check: Check) -> None:
    """A place says whose it is: a prefix, a country or a continent."""
    for path, _, place in _places(check):
        if not (place.prefixes or place.countries or place.continents):
            fix = "add `prefixes`, `countries` or `continents`, or take the place out"
            check.problem(path, "a place without clients", "a place says which clients are of it", fix)


def countries_have_a_database(check: Check) -> None:
    """Countries and continents need a database that says where an address is, and nothing else needs one."""
    balancer = check.environment.global_load_balancer
    if balancer is None or not check.intact(_AT):
        return
    asked = [path for path, _, place in _places(check) if place.countries or place.continents]
    if asked and balancer.geoip_database is None:
        check.problem(
            asked[0],
            "countries or continents, and no `geoipDatabase`",
            "only a database in MaxMind's format says in which country an address is",
            f"write `{_AT}.geoipDatabase`, the path of one on the edge hosts, or say it by `prefixes`",
        )
    if balancer.geoip_database is not None and not asked:
        check.problem(
            (_AT, "geoipDatabase"),
            balancer.geoip_database,
            "a database is there for countries and continents, and no place names one",
            "take it out, or name them in `geography`",
        )


def database_is_where_gdnsd_looks(check: Check) -> None:
    """The database is where the name server sees it, whose unit has `ProtectHome=` and `PrivateTmp=`."""
    balancer = check.environment.global_load_balancer
    path = balancer.geoip_database if balancer and check.intact(_AT, "geoipDatabase") else None
    if path and any(path.startswith(f"{hidden}/") for hidden in _HIDDEN):
        check.problem(
            (_AT, "geoipDatabase"),
            path,
            f"gdnsd's unit of systemd sees nothing below {', '.join(_HIDDEN)}",
            "keep it elsewhere, as below /var/lib/GeoIP, where geoipupdate brings it",
        )


def policies_are_of_hosts(check: Check) -> None:
    """A host's policy is of a host that the name servers answer: nobody asks for another one."""
    balancer = check.environment.global_load_balancer
    if balancer is None or not all(map(check.intact, ("ingresses", "routes", "domain"))):
        return
    hosts = sorted(host for names in check.environment.names.values() for host in names)
    for host in balancer.host_policies:
        if host not in hosts:
            check.problem(
                (_AT, "hostPolicies", host),
                host,
                f"a host that is exposed and the name servers answer: {', '.join(hosts) or 'none'}",
                suggestion(host, hosts, "expose it, or take its policy out"),
            )


def a_region_stays(check: Check) -> None:
    """Not all regions are drained: names would lead nowhere."""
    balancer, regions = check.environment.global_load_balancer, check.environment.regions
    if balancer is not None and check.intact("regions") and not regions.keys() - set(balancer.drained):
        check.problem(
            (_AT, "drained"),
            "all regions",
            "names lead to one region or more",
            "leave one of them in service",
        )


def policies_change_answers(check: Check) -> None:
    """A policy and its keys change an answer: one that changes none is believed to do what it does not."""
    regions = check.environment.regions
    for path, policy in _policies(check):
        if path == (_AT, "policy") and policy == RoutingPolicy():
            check.problem(
                path,
                "an empty policy",
                "a policy says something: all hosts are answered so without it",
                "take it out",
            )
        # Weights that sum to nothing are told of already.
        for key in ("weights", "failover") if any(policy.weights.values()) else ("failover",):
            other = policy.model_copy(update={key: type(getattr(policy, key))()})
            if getattr(policy, key) and _orders(policy, regions) == _orders(other, regions):
                check.problem(
                    (*path, key),
                    f"`{key}` that changes no answer",
                    "each key changes what some client is answered in some state",
                    "take it out; where all regions have weights, nobody stands by"
                    if key == "failover"
                    else "take it out",
                )


def _orders(policy: RoutingPolicy, regions: Collection[str]) -> list[object]:
    places = (None, *policy.geography.values())
    return [order(policy, place, regions) for place in places]


RULES = (
    policies_name_regions,
    weights_are_whole,
    prefixes_are_apart,
    countries_are_of_one_place,
    places_have_clients,
    countries_have_a_database,
    database_is_where_gdnsd_looks,
    policies_are_of_hosts,
    a_region_stays,
    policies_change_answers,
)
