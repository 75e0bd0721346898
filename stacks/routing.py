"""What a routing policy means: which regions clients of each place are answered, in every state of these.

A policy becomes an order of tiers for each place. A client is answered the first tier that has a healthy
region, and of that tier the healthy ones. With none in any tier, the first tier is answered whole, as gdnsd
does it: an answer may be wrong then, and no answer certainly is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Network

from pydantic import Field
from pydantic.dataclasses import dataclass

from stacks.countries import CONTINENT_OF
from stacks.model import Environment, Exposed, GeographyPlace, RoutingPolicy

EVERYBODY = "everybody else"
"""What clients of no place are called; no name of a place has a space."""
DEFAULT = "default_policy"
"""What the policy is called that hosts without one of their own have; no ingress's name has an underscore."""


@dataclass(frozen=True)
class Tier:
    """Regions that are answered alike."""

    regions: Mapping[str, int]
    """Each with its weight; with 1 where all that are healthy are answered."""
    weighted: bool = False
    """Whether an answer is of one region, drawn by weight."""

    @classmethod
    def of(cls, regions: Iterable[str], weights: Mapping[str, int]) -> Tier:
        """Sorted, with weights where there are some and something to draw."""
        names = sorted(regions)
        if weights and len(names) > 1 and all(weights.get(name) for name in names):
            return cls({name: weights[name] for name in names}, weighted=True)
        return cls(dict.fromkeys(names, 1))

    def only(self, regions: Collection[str]) -> Tier:
        """What is left of it with these regions alone."""
        left = {name: weight for name, weight in self.regions.items() if name in regions}
        return Tier(left, self.weighted and len(left) > 1)

    @property
    def shares(self) -> dict[str, float]:
        """How often each region is in an answer: all of them always, or by weight, which sums to 1."""
        if not self.weighted:
            return dict.fromkeys(self.regions, 1.0)
        total = sum(self.regions.values())
        return {name: weight / total for name, weight in self.regions.items()}

    def __str__(self) -> str:
        if not self.weighted:
            return ", ".join(self.regions)
        return ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items())


Tiers = tuple[Tier, ...]


@dataclass(frozen=True)
class Place:
    """Clients that are led by an order of their own."""

    tiers: Tiers
    prefixes: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    continents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Routing:
    """A policy as it is carried out: for each place the order of tiers."""

    name: str
    hosts: tuple[str, ...]
    """That have it, sorted."""
    tiers: Tiers
    """For clients of no place."""
    places: Mapping[str, Place] = Field(default_factory=dict)

    def of(self, place: str) -> Tiers:
        """The order for clients of a place, or of `EVERYBODY`."""
        return self.places[place].tiers if place in self.places else self.tiers

    @property
    def regions(self) -> frozenset[str]:
        """Those that may be answered: all but what is drained."""
        return frozenset(region for tier in self.tiers for region in tier.regions)

    @property
    def clients(self) -> tuple[str, ...]:
        """The places, and everybody else."""
        return (*self.places, EVERYBODY)

    def place_of(self, kind: str) -> str:
        """The place that clients of a prefix, a country or a continent are of."""
        if "/" in kind:
            network = IPv4Network(kind)
            return next(
                (
                    name
                    for name, place in self.places.items()
                    if any(network.subnet_of(IPv4Network(prefix)) for prefix in place.prefixes)
                ),
                EVERYBODY,
            )
        # AS is Asia and American Samoa both, and others are too: who asks for a continent says so.
        continent = kind.removeprefix("continent ")
        if continent == kind:
            for name, place in self.places.items():
                if kind in place.countries:
                    return name
            continent = CONTINENT_OF.get(kind, "")
        return next((name for name, place in self.places.items() if continent in place.continents), EVERYBODY)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of clients that it tells apart: prefixes, countries, continents, and everybody else."""
        found: list[str] = []
        for place in self.places.values():
            found += [*place.prefixes, *place.countries, *(f"continent {code}" for code in place.continents)]
        return (*sorted(found), EVERYBODY)


def order(
    policy: RoutingPolicy,
    place: GeographyPlace | None,
    regions: Collection[str],
    drained: Collection[str] = (),
) -> Tiers:
    """The tiers for clients of a place; None for those of no place.

    regions: all that there are. Each that is not drained is in one tier: while one is healthy, there is a
    healthy one to answer.
    """
    return tuple(Tier.of(group, policy.weights) for group in groups(policy, place, regions, drained))


def groups(
    policy: RoutingPolicy, place: GeographyPlace | None, regions: Collection[str], drained: Collection[str]
) -> Iterator[set[str]]:
    """The regions of each tier, as `order` has them."""
    every, weights = set(regions), policy.weights
    standby = {name for name in every if weights and not weights.get(name)}
    preferred = place.failover if place and place.failover else policy.failover
    first = set(place.regions) if place else every if weights else set()
    left = every - set(drained)
    # A place that has only regions that stand by elsewhere is what these are there for.
    for group in (first - standby or first, *({name} for name in preferred), every - standby, standby):
        if here := group & left:
            yield here
            left -= here


def routings(environment: Environment, drained: Collection[str] | None = None) -> tuple[Routing, ...]:
    """The policies that an environment declares; none where all healthy regions are answered for all hosts.

    drained: regions instead of those that are declared so.
    """
    balancer = environment.global_load_balancer
    if balancer is None:
        return ()
    out = balancer.drained if drained is None else drained
    hosts = {host for names in environment.names.values() for host in names}
    others = tuple(sorted(hosts - balancer.host_policies.keys()))
    found = []
    if others and (balancer.policy or out):
        found.append(_routing(DEFAULT, others, balancer.policy or RoutingPolicy(), environment, out))
    for exposed in environment.exposed:
        if exposed.host in hosts and (policy := balancer.host_policies.get(exposed.host)):
            found.append(_routing(_named(exposed), (exposed.host,), policy, environment, out))
    return tuple(found)


def _named(exposed: Exposed) -> str:
    """What the policy of a host is called: as its ingress, or by its place in its route."""
    kind, name = exposed.owner
    return name if kind == "ingresses" else f"route_{name}_{exposed.path[-1]}"


def _routing(
    name: str, hosts: tuple[str, ...], policy: RoutingPolicy, environment: Environment, out: Collection[str]
) -> Routing:
    places = {
        key: Place(
            order(policy, place, environment.regions, out),
            tuple(sorted(map(str, place.prefixes))),
            tuple(sorted(place.countries)),
            tuple(sorted(place.continents)),
        )
        for key, place in sorted(policy.geography.items())
    }
    return Routing(name, hosts, order(policy, None, environment.regions, out), places)


def answered(tiers: Tiers, healthy: Collection[str]) -> Tier:
    """What clients are answered by a name server that sees these regions healthy."""
    for tier in tiers:
        left = tier.only(healthy)
        if left.regions:
            return left
    return tiers[0]


def described(tiers: Tiers) -> str:
    """An order in words: `eu 75%, us 25%; then ap`."""
    return "; then ".join(map(str, tiers))


def everyone(regions: Collection[str]) -> Tiers:
    """The order of a host without a policy."""
    return (Tier.of(regions, {}),)


def by_host(found: Iterable[Routing]) -> dict[str, Routing]:
    """The policy of each host that has one."""
    return {host: routing for routing in found for host in routing.hosts}
