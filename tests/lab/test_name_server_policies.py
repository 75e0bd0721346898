"""gdnsd itself carries policies out as they are declared: no machines, only loopback.

Every state of three regions, for clients of every place by EDNS client subnet, against what the policy means
by the project's own model; and shares of weights over 10,000 answers. Takes a minute and a core's half.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.edns
import dns.message
import dns.query
import dns.rdatatype
import pytest

from playbooks.work.names import gdnsd_policy
from stacks.model import Environment
from stacks.routing import EVERYBODY, Routing, answered, routings
from stacks.simulation import SWAP
from tests.lab.gdnsd import PORT, SETTLED, ZONE, Gdnsd, unpack
from tests.unit.playbooks.gateways import two_gateways
from tests.unit.playbooks.mmdb import database
from tests.unit.stacks.routing_cases import environment

GATEWAYS: dict[str, str | list[str]] = {
    "ap": "192.0.2.1",
    "eu": ["192.0.2.2", "192.0.2.3"],
    "us": "192.0.2.4",
}
HOSTS = [f"{name}.{ZONE}" for name in ("weighted", "ordered", "placed", "plain")]
POLICIES = {
    HOSTS[0]: {"weights": {"eu": 70, "us": 29, "ap": 1}},
    HOSTS[1]: {"failover": ["us", "eu"]},
    HOSTS[2]: {
        "weights": {"eu": 3, "us": 1, "ap": 0},
        "failover": ["ap"],
        "geography": {
            "site": {"prefixes": ["10.1.0.0/16", "10.3.7.0/24"], "regions": ["us"], "failover": ["ap", "eu"]},
            "other-site": {"prefixes": ["10.2.0.0/17"], "regions": ["eu", "us"]},
            "turkey": {"countries": ["TR"], "regions": ["us"]},
            "europe": {"continents": ["EU"], "regions": ["eu"]},
        },
    },
}
PLACES = {"198.51.100.0/24": ("AS", "TR"), "198.51.101.0/24": ("EU", "DE"), "203.0.113.0/24": ("NA", "US")}
"""What the database knows."""
CLIENTS = {
    "10.1.0.0": "site",
    "10.1.255.0": "site",
    "10.3.7.0": "site",
    "10.3.6.0": EVERYBODY,
    "10.2.127.0": "other-site",
    "10.2.128.0": EVERYBODY,
    "198.51.100.0": "turkey",
    "198.51.101.0": "europe",
    "203.0.113.0": EVERYBODY,
}
"""Networks that resolvers tell of their clients, and the place of each."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gdnsd]:
    """A name server with the policies, whose prober is this test."""
    path = tmp_path_factory.mktemp("policies")
    (path / "countries.mmdb").write_bytes(database(PLACES))
    with two_gateways(path) as site:
        server = Gdnsd(unpack(tmp_path_factory.mktemp("gdnsd")), site)
        (path / "view").mkdir(exist_ok=True)
        policies = [gdnsd_policy(each, str(path / "countries.mmdb")) for each in ROUTINGS.values()]
        more = {"gdnsd_policies": policies, "gdnsd_zones": {ZONE: HOSTS}}
        server.configure(server.directory / "etc", GATEWAYS, **more)
        with seen(server, GATEWAYS):
            server.start()
            yield server
            server.said("usr/bin/gdnsdctl", "stop")


def declared() -> Environment:
    return environment(sorted(GATEWAYS), {f"host-{n}": host for n, host in enumerate(HOSTS)}, POLICIES)


ROUTINGS: dict[str, Routing] = {host: routing for routing in routings(declared()) for host in routing.hosts}


def told(region: str) -> list[str]:
    found = GATEWAYS[region]
    return [found] if isinstance(found, str) else found


@contextmanager
def seen(server: Gdnsd, healthy: object) -> Iterator[None]:
    """While the prober sees these regions healthy."""
    lines = [
        f"{address} => {'UP' if region in healthy else 'DOWN'}\n"  # type: ignore[operator]
        for region in GATEWAYS
        for address in told(region)
    ]
    new = server.site.directory / "view" / "new"
    new.write_text("".join(lines))
    new.replace(Path(new.parent, "gateways"))
    yield


def ask(host: str, client: str = "") -> frozenset[str]:
    """The addresses that a client is answered, whose resolver tells its network of 24 bits."""
    options: list[dns.edns.Option] = [dns.edns.ECSOption(client, 24)] if client else []
    question = dns.message.make_query(host, "A", use_edns=0, options=options)
    reply = dns.query.udp(question, "127.0.0.1", timeout=3, port=PORT)
    return frozenset(
        item.address for found in reply.answer if found.rdtype == dns.rdatatype.A for item in found
    )


def settle(server: Gdnsd, healthy: frozenset[str]) -> None:
    """Wait until gdnsd answers by what is seen."""
    end = time.monotonic() + 5 * SETTLED
    wanted = {address: region in healthy for region in GATEWAYS for address in told(region)}
    while True:
        states = {key.partition("/")[0]: value["state"] for key, value in server.states().items()}
        found = {address: states[address].startswith("UP") for address in wanted}
        if found == wanted:
            # gdnsd tells of a state before it answers by it.
            time.sleep(SWAP + 0.2)
            return
        assert time.monotonic() < end, (found, wanted)
        time.sleep(0.1)


def regions_of(answer: frozenset[str]) -> frozenset[str]:
    return frozenset(region for region in GATEWAYS if answer & set(told(region)))


STATES = [
    frozenset(healthy)
    for count in range(len(GATEWAYS), -1, -1)
    for healthy in itertools.combinations(sorted(GATEWAYS), count)
]


@pytest.mark.parametrize("healthy", STATES, ids=lambda healthy: "-".join(sorted(healthy)) or "none")
def test_clients_of_each_place_are_answered_as_it_is_declared(server: Gdnsd, healthy: frozenset[str]) -> None:
    with seen(server, healthy):
        settle(server, healthy)
        assert regions_of(ask(HOSTS[3])) == (healthy or set(GATEWAYS))
        for host, routing in ROUTINGS.items():
            for client, place in CLIENTS.items():
                tier = answered(routing.of(place), healthy)
                # Drawn one by one, each that may be drawn comes within so many answers, but for one in 10^8.
                draws = {ask(host, client) for _ in range(60 if tier.weighted else 2)}
                frequent = {name for name, share in tier.shares.items() if share > 0.25}
                found = {regions_of(draw) for draw in draws}
                about = (host, client, place, sorted(healthy), str(tier))
                if tier.weighted:
                    assert all(len(each) == 1 for each in found), about
                    drawn = set().union(*found)
                    assert frequent <= drawn <= tier.regions.keys(), about
                else:
                    assert found == {frozenset(tier.regions)}, about
                # All addresses of a region that are healthy, or those of all when none is.
                assert all(draw == {a for region in regions_of(draw) for a in told(region)} for draw in draws)


def test_shares_are_the_declared_ones_within_two_per_cent_over_10_000_answers(server: Gdnsd) -> None:
    healthy = frozenset(GATEWAYS)
    with seen(server, healthy):
        settle(server, healthy)
        for host, client, place in ((HOSTS[0], "", EVERYBODY), (HOSTS[2], "10.2.0.0", "other-site")):
            found = Counter(next(iter(regions_of(ask(host, client)))) for _ in range(10_000))
            for region, share in answered(ROUTINGS[host].of(place), healthy).shares.items():
                assert abs(found[region] / 10_000 - share) < 0.02, (host, dict(found))


def test_the_smallest_weight_alone_is_answered_alone(server: Gdnsd) -> None:
    """gdnsd takes all for healthy where less than half of the weights is, unless it is told."""
    healthy = frozenset({"ap"})
    with seen(server, healthy):
        settle(server, healthy)
        assert {ask(HOSTS[0]) for _ in range(50)} == {frozenset(told("ap"))}


@pytest.mark.parametrize("content", [None, b"no database"])
def test_a_database_that_is_missing_or_broken_is_refused_before_it_is_put_in_place(
    server: Gdnsd, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "other.mmdb"
    if content:
        path.write_bytes(content)
    policies = [gdnsd_policy(each, str(path)) for each in ROUTINGS.values()]
    directory = server.directory / "other"
    server.configure(directory, GATEWAYS, gdnsd_policies=policies, gdnsd_zones={ZONE: HOSTS})
    code, words = server.said("usr/sbin/gdnsd", "checkconf", directory=directory)
    assert code and "other.mmdb" in words


def test_a_resolver_that_tells_no_network_is_a_client_itself(server: Gdnsd) -> None:
    with seen(server, GATEWAYS):
        settle(server, frozenset(GATEWAYS))
        assert ask(HOSTS[1]) == ask(HOSTS[1], "10.1.0.0") == frozenset(told("us"))
        assert regions_of(ask(HOSTS[2])) <= {"eu", "us"}


NAMED: dict[str, str | list[str]] = {"ap": ["192.0.2.1", "192.0.2.2"], "eu": "lb-eu.test", "us": "lb-us.test"}
NAMED_POLICIES = {
    HOSTS[0]: {"weights": {"eu": 3, "us": 1, "ap": 0}},
    HOSTS[1]: {"failover": ["us", "ap"]},
    HOSTS[2]: {"geography": {"site": {"prefixes": ["10.1.0.0/16"], "regions": ["ap", "us"]}}},
}


def test_gateways_with_host_names_are_ordered_weighed_and_placed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A name server in eu. Half a minute, on a port of its own beside the one above."""
    hosts = {f"host-{n}": host for n, host in enumerate(HOSTS)}
    found = routings(environment(sorted(NAMED), hosts, NAMED_POLICIES))
    told_by_name = {
        region: [f"{each}." if "lb" in each else each for each in ([told] if isinstance(told, str) else told)]
        for region, told in NAMED.items()
    }
    with two_gateways(tmp_path) as site:
        server = Gdnsd(unpack(tmp_path_factory.mktemp("gdnsd")), site, port=PORT + 1)
        (tmp_path / "view").mkdir(exist_ok=True)
        more = {"gdnsd_policies": [gdnsd_policy(each) for each in found], "gdnsd_zones": {ZONE: HOSTS}}
        server.configure(server.directory / "etc", NAMED, **more)
        for healthy in STATES:
            lines = [
                f"{target} => {'UP' if region in healthy else 'DOWN'}\n"
                for region, targets in told_by_name.items()
                for target in targets
            ]
            (tmp_path / "view" / "new").write_text("".join(lines))
            (tmp_path / "view" / "new").replace(tmp_path / "view" / "gateways")
            if server.process is None:
                server.start()
            time.sleep(SETTLED)
            for routing in found:
                for client in ("10.1.0.0", ""):
                    place = "site" if client and routing.places else EVERYBODY
                    tiers = routing.of(place)
                    tier = answered(tiers, healthy)
                    draws = {targets(routing.hosts[0], client, server.port) for _ in range(80)}
                    about = (routing.hosts[0], client, sorted(healthy), str(tier), draws)
                    drawn = {region for region, told in told_by_name.items() if frozenset(told) in draws}
                    assert draws == {frozenset(told_by_name[region]) for region in drawn}, about
                    if tier.weighted:
                        assert drawn == tier.regions.keys(), about
                    else:
                        assert drawn == {min(tier.regions, key=lambda name: (name != "eu", name))}, about
        server.said("usr/bin/gdnsdctl", "stop")


def targets(host: str, client: str, port: int) -> frozenset[str]:
    """The addresses or the alias that a client is answered."""
    options: list[dns.edns.Option] = [dns.edns.ECSOption(client, 24)] if client else []
    question = dns.message.make_query(host, "A", use_edns=0, options=options)
    reply = dns.query.udp(question, "127.0.0.1", timeout=3, port=port)
    return frozenset(str(item) for found in reply.answer for item in found)


def test_what_is_spoilt_on_the_host_is_not_taken_over_by_the_gdnsd_that_runs(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A database and a zone. Twenty seconds: gdnsd waits for five before it reads a database anew."""
    path = tmp_path / "countries.mmdb"
    path.write_bytes(database(PLACES))
    with two_gateways(tmp_path) as site:
        server = Gdnsd(unpack(tmp_path_factory.mktemp("gdnsd")), site, port=PORT + 2)
        policies = [gdnsd_policy(each, str(path)) for each in ROUTINGS.values()]
        more = {"gdnsd_policies": policies, "gdnsd_zones": {ZONE: HOSTS}}
        server.configure(server.directory / "etc", GATEWAYS, **more)
        (tmp_path / "view").mkdir(exist_ok=True)
        server.start()
        turkey = ("198.51.100.0", frozenset(told("us")))
        assert targets(HOSTS[2], turkey[0], server.port) == turkey[1]
        (tmp_path / "new").write_bytes(b"no database")
        (tmp_path / "new").replace(path)
        (server.directory / "etc" / "zones" / ZONE).write_text("@ nonsense (\n")
        time.sleep(12)
        code, words = server.said("usr/bin/gdnsdctl", "reload-zones")
        assert code, words
        assert targets(HOSTS[2], turkey[0], server.port) == turkey[1]
        assert server.said("usr/sbin/gdnsd", "checkconf")[0], "it would not start anew"
        server.said("usr/bin/gdnsdctl", "stop")
