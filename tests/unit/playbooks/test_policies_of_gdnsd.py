"""What gdnsd makes of a policy's configuration is what the policy means, in every state, for every client."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from playbooks.work.names import gdnsd_policy
from stacks.countries import CONTINENT_OF
from stacks.routing import EVERYBODY, Routing, answered, everyone, routings
from tests.unit.playbooks.conftest import rendering
from tests.unit.playbooks.gdnsd_meaning import Client, Odds, Server, parsed
from tests.unit.stacks.routing_cases import environment

HOSTS = {"shop": "shop.example.org", "wiki": "wiki.example.org"}
PREFIXES = [f"10.{number}.0.0/16" for number in range(4)]
COUNTRIES, CONTINENTS = ["DE", "TR", "US"], ["EU", "NA"]


def variables_of(found: tuple[Routing, ...], gateways: dict[str, list[str]]) -> dict[str, Any]:
    """The role's variables, on a name server in the region r0."""
    return {
        "gdnsd_address": "192.0.2.9",
        "gdnsd_domain": "example.org",
        "gdnsd_gateways": gateways,
        "gdnsd_name_servers": {"edge": "192.0.2.9"},
        "gdnsd_policies": [gdnsd_policy(each, "/var/lib/GeoIP/countries.mmdb") for each in found],
        "gdnsd_region": "r0",
        "gdnsd_ttl": 5,
        "gdnsd_zones": {"example.org": sorted(HOSTS.values())},
    }


def config(found: tuple[Routing, ...], gateways: dict[str, list[str]]) -> tuple[Any, str]:
    """The plugins of gdnsd's configuration, and the zone."""
    variables = variables_of(found, gateways)
    (zone,) = json.loads(rendering("gdnsd", "zones.json.j2", variables))
    return parsed(rendering("gdnsd", "config.j2", variables))["plugins"], zone["content"]


@st.composite
def policies(draw: st.DrawFn, regions: list[str]) -> dict[str, Any]:
    some = st.lists(st.sampled_from(regions), unique=True)
    policy: dict[str, Any] = {}
    if draw(st.booleans()):
        weights = {region: draw(st.integers(0, 100)) for region in regions}
        policy["weights"] = weights | {draw(st.sampled_from(regions)): draw(st.integers(1, 100))}
    policy["failover"] = draw(some)
    kinds = [*(("prefixes", p) for p in PREFIXES), *(("countries", c) for c in COUNTRIES)]
    kinds += [("continents", c) for c in CONTINENTS]
    places: dict[str, dict[str, Any]] = {}
    for kind, value in draw(st.lists(st.sampled_from(kinds), unique=True)):
        name = draw(st.sampled_from(["here", "there"]))
        if name not in places:
            own = draw(st.lists(st.sampled_from(regions), unique=True, min_size=1))
            places[name] = {"regions": own, "failover": [r for r in draw(some) if r not in own]}
        places[name].setdefault(kind, []).append(value)
    return policy | {"geography": places}


@st.composite
def declarations(draw: st.DrawFn) -> tuple[tuple[Routing, ...], dict[str, list[str]]]:
    regions = [f"r{number}" for number in range(draw(st.integers(1, 4)))]
    drained = draw(st.lists(st.sampled_from(regions), unique=True, max_size=len(regions) - 1))
    more = {"policy": draw(policies(regions))} if draw(st.booleans()) else {}
    own = {HOSTS["shop"]: draw(policies(regions))} if draw(st.booleans()) else {}
    gateways = {
        region: [f"192.0.{number}.{n}" for n in range(draw(st.integers(1, 3)))]
        for number, region in enumerate(regions)
    }
    return routings(environment(regions, HOSTS, own, drained=drained, **more)), gateways


def clients() -> list[tuple[str, Client]]:
    """Kinds of clients, each with one of its."""
    found = [(prefix, Client(IPv4Network(prefix)[300], "EU", "DE")) for prefix in PREFIXES]
    outside = IPv4Address("203.0.113.1")
    found += [(country, Client(outside, CONTINENT_OF[country], country)) for country in COUNTRIES]
    found += [("continent EU", Client(outside, "EU", "FR")), ("continent NA", Client(outside, "NA", "MX"))]
    return [*found, (EVERYBODY, Client(outside, "OC", "AU"))]


def by_region(odds: Odds, gateways: dict[str, list[str]]) -> dict[frozenset[str], float]:
    found: Counter[frozenset[str]] = Counter()
    for answer, share in odds.items():
        regions = frozenset(region for region, told in gateways.items() if answer & set(told))
        assert answer == {address for region in regions for address in gateways[region]}
        found[regions] += share
    return found


@settings(max_examples=60, deadline=None)
@given(declarations())
def test_what_is_rendered_means_what_is_declared(
    declared: tuple[tuple[Routing, ...], dict[str, list[str]]],
) -> None:
    found, gateways = declared
    plugins, zone = config(found, gateways)
    resources = {line.split()[0]: line.split()[-1] for line in zone.splitlines() if " DYNA " in line}
    for host in HOSTS.values():
        routing = next((each for each in found if host in each.hosts), None)
        plugin, _, resource = resources[f"{host}."].partition("!")
        for kind, client in clients():
            tiers = routing.of(routing.place_of(kind)) if routing else everyone(gateways)
            if kind in PREFIXES and routing and routing.place_of(kind) == EVERYBODY:
                # Of no prefix that is declared: it is where the database says.
                tiers = routing.of(routing.place_of("DE"))
            for count in range(len(gateways) + 1):
                for healthy in itertools.combinations(gateways, count):
                    up = {address for region in healthy for address in gateways[region]}
                    odds = by_region(Server(plugins, up).odds(plugin, resource, client), gateways)
                    tier = answered(tiers, healthy)
                    if not tier.weighted:
                        assert odds == {frozenset(tier.regions): 1.0}
                    else:
                        wanted = {frozenset([region]): share for region, share in tier.shares.items()}
                        assert odds.keys() == wanted.keys()
                        assert all(odds[key] == pytest.approx(wanted[key], abs=0.001) for key in wanted)


@st.composite
def named(draw: st.DrawFn) -> tuple[tuple[Routing, ...], dict[str, list[str]]]:
    """As above, and some gateways have host names, where gdnsd can keep that."""
    found, gateways = draw(declarations())
    names = draw(st.sets(st.sampled_from(sorted(gateways)), min_size=1))
    gateways = {
        region: [f"lb-{region}.test"] if region in names else told for region, told in gateways.items()
    }
    assume(not refused(found, gateways))
    return found, gateways


def refused(found: tuple[Routing, ...], gateways: dict[str, list[str]], **more: Any) -> str:
    """What the role says against it."""
    told: list[str] = json.loads(
        rendering("gdnsd", "refused.json.j2", {**variables_of(found, gateways), **more})
    )
    return " ".join(told)


def is_name(region: str, gateways: dict[str, list[str]]) -> bool:
    return gateways[region][0].startswith("lb")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(named())
def test_gateways_with_host_names_are_answered_one_at_a_time_and_their_own_region_s_first(
    declared: tuple[tuple[Routing, ...], dict[str, list[str]]],
) -> None:
    found, told = declared
    plugins, zone = config(found, told)
    gateways = {
        region: [f"{each}." if is_name(region, told) else each for each in targets]
        for region, targets in told.items()
    }
    resources = {line.split()[0]: line.split()[2:] for line in zone.splitlines() if " DYN" in line}
    for routing in found:
        for host in routing.hosts:
            kind_of_record, resource = resources[f"{host}."]
            aliases = any(is_name(region, gateways) for region in routing.regions)
            assert kind_of_record == ("DYNC" if aliases else "DYNA")
        plugin, _, name = resource.partition("!")
        for kind, client in clients():
            if kind in PREFIXES and routing.place_of(kind) == EVERYBODY:
                continue
            tiers = routing.of(routing.place_of(kind))
            for count in range(len(gateways) + 1):
                for healthy in itertools.combinations(gateways, count):
                    up = {address for region in healthy for address in gateways[region]}
                    odds = by_region(Server(plugins, up).odds(plugin, name, client), gateways)
                    tier = answered(tiers, healthy)
                    whole = next(each for each in tiers if tier.regions.keys() <= each.regions.keys())
                    if whole.weighted:
                        wanted = {frozenset([region]): share for region, share in tier.shares.items()}
                        assert odds == pytest.approx(wanted, abs=0.001)
                    elif any(is_name(region, gateways) for region in whole.regions):
                        first = min(tier.regions, key=lambda region: (region != "r0", region))
                        assert odds == {frozenset([first]): 1.0}
                    else:
                        assert odds == {frozenset(tier.regions): 1.0}


def test_what_gdnsd_cannot_keep_is_refused_with_the_reason() -> None:
    gateways = {"r0": ["192.0.2.1"], "r1": ["lb.test"], "r2": ["192.0.2.3"]}

    def of(policy: dict[str, Any]) -> tuple[Routing, ...]:
        return routings(environment(sorted(gateways), HOSTS, {HOSTS["shop"]: policy}))

    mixed = of({"weights": {"r0": 1, "r1": 1, "r2": 0}})
    assert refused(mixed, gateways).startswith("lb.test cannot be weighed beside 192.0.2.1: gdnsd draws")
    assert not refused(of({"weights": {"r0": 1, "r1": 0, "r2": 1}}), gateways)
    ordered = of({"failover": ["r1", "r0"]})
    assert not refused(ordered, gateways)
    apex = refused(ordered, gateways, gdnsd_apexes=[HOSTS["shop"]])
    assert apex.startswith("shop.example.org cannot lead to lb.test: DNS allows no alias")


def test_without_a_policy_the_configuration_has_none_of_it() -> None:
    plugins, zone = config((), {"r0": ["192.0.2.1"], "r1": ["192.0.2.2"]})
    assert plugins.keys() == {"multifo"} and zone.count("DYNA multifo!gateways") == len(HOSTS)


def test_a_region_with_many_addresses_weighs_what_it_weighs() -> None:
    weights = {"r0": 1, "r1": 1}
    (routing,) = routings(environment(["r0", "r1"], {"shop": HOSTS["shop"]}, {}, policy={"weights": weights}))
    gateways = {"r0": [f"192.0.2.{n}" for n in range(64)], "r1": ["192.0.3.1"]}
    plugins, _ = config((routing,), gateways)
    up = {address for told in gateways.values() for address in told}
    odds = by_region(
        Server(plugins, up).odds("metafo", routing.name, Client(IPv4Address("192.0.2.1"))), gateways
    )
    assert odds == pytest.approx({frozenset(["r0"]): 0.5, frozenset(["r1"]): 0.5}, abs=0.001)
    one = by_region(
        Server(plugins, {"192.0.3.1"}).odds("metafo", routing.name, Client(IPv4Address("192.0.2.1"))),
        gateways,
    )
    assert one == {frozenset(["r1"]): 1.0}
