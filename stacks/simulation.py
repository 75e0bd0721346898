"""What clients are answered in every state of the regions, and how long a change takes to reach them.

A name server answers by what it sees. A region is up, down, or drained; one that is partitioned is up, and
seen down by the name servers that it cannot be reached from: these answer as if it were down, and those
inside see it alone. So all states of n regions, partitions among them, come to 3 to the n views.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from stacks.model import Environment, HealthCheck, RoutingPolicy
from stacks.routing import EVERYBODY, Routing, answered, by_host, everyone, groups, routings

MOST = 10
"""Regions of which all states are gone through."""
SETTLING = 1.02
"""Seconds without another change after which gdnsd reads a file that changed: `src/plugins/extfile.c`."""
SWAP = 1.0
"""Seconds at most until gdnsd answers by what it read: it gathers changes, `src/plugins/mon.c`."""


@dataclass(frozen=True)
class Convergence:
    """Seconds at most from a change of a region's gateway until no client has the old answer."""

    seen: float
    """Until the prober counts it: as many probes as the threshold, and the last one's time-out."""
    taken: float
    """Until gdnsd answers by it."""
    cached: float
    """Until the last answer from before is forgotten: the TTL, which is the declared one always."""

    @property
    def total(self) -> float:
        """The bound. Clients and resolvers that keep answers longer than their TTL are not in it."""
        return self.seen + self.taken + self.cached


def convergence(check: HealthCheck, ttl: int, *, up: bool = False) -> Convergence:
    """up: of a region that comes back. Otherwise of one that is lost just after a probe that was good.

    A probe begins in every interval, is given up after its time-out, and each failed one counts; a region
    that comes back is seen by probes that are answered within the time-out. One that is held out was counted
    as down when its last bad probe ended, and the prober looks after each probe whether its time is over.
    Where a region is returned by hand, the time counts from there: the prober has read it when `up` ends.
    """
    threshold = check.up_threshold if up else check.down_threshold
    seen = threshold * check.interval + check.timeout
    if up and check.hold_down:
        seen = max(seen, check.hold_down + check.interval + 2 * check.timeout)
    return Convergence(seen, SETTLING + SWAP, ttl)


def in_effect(
    healthy: Collection[str], held: Collection[str], drained: Collection[str] = ()
) -> frozenset[str]:
    """The regions that a name server takes for healthy, of which some are held out: those alone that are not,
    and all where none of these is answered."""
    left = frozenset(healthy) - frozenset(held)
    return left if left - frozenset(drained) else frozenset(healthy)


@dataclass(frozen=True)
class State:
    """A state of the regions that are not simply up."""

    down: frozenset[str] = frozenset()
    drained: frozenset[str] = frozenset()
    partitioned: frozenset[str] = frozenset()
    """Up, cut off from the others and from each other."""
    held: frozenset[str] = frozenset()
    """Up again, and held out by the name servers that reach them."""

    def __str__(self) -> str:
        told = [
            f"{', '.join(sorted(regions))} {word}"
            for word in ("down", "drained", "partitioned", "held")
            if (regions := getattr(self, word))
        ]
        return "; ".join(told) or "all up"


@dataclass(frozen=True)
class Row:
    """What clients of one place are answered in one state."""

    host: str
    clients: str
    state: str
    servers: str
    """Which name servers answer so: all, those outside of a partition, or those in a region."""
    answer: str
    shares: dict[str, float]
    """How often each region is in an answer."""
    healthy: bool
    """Whether the server sees one of these regions healthy; where it sees none, it answers all the same."""


def answers_in(environment: Environment, states: Sequence[State]) -> Iterator[Row]:
    """What each kind of client of each host is answered in these states."""
    hosts = sorted(host for names in environment.names.values() for host in names)
    balancer = environment.global_load_balancer
    declared = frozenset(balancer.drained if balancer else ())
    for state in states:
        drained = state.drained | declared
        found = by_host(routings(environment, drained))
        outside = frozenset(environment.regions) - state.down - state.partitioned - drained
        views = [("outside" if state.partitioned else "all", in_effect(outside, state.held))]
        # A name server of a region that is cut off reaches its own gateway, and no other.
        views += [
            (region, frozenset({region}) - state.down - drained) for region in sorted(state.partitioned)
        ]
        for host in hosts:
            routing = found.get(host) or Routing("", (host,), everyone(environment.regions))
            for place in routing.clients:
                clients = place if routing.places else "everybody"
                for servers, seen in views:
                    tier = answered(routing.of(place), seen)
                    sound = bool(seen & tier.regions.keys())
                    yield Row(host, clients, str(state), servers, str(tier), tier.shares, sound)


def single_states(environment: Environment) -> list[State]:
    """All up, and each region by itself down, drained, partitioned, and held out where that may be."""
    regions, balancer = sorted(environment.regions), environment.global_load_balancer
    states = [State()]
    for region in regions:
        one = frozenset({region})
        states += [
            State(down=one),
            *([State(drained=one)] if len(regions) > 1 else []),
            State(partitioned=one),
            *([State(held=one)] if balancer and balancer.health_check.holds else []),
        ]
    return states


@dataclass(frozen=True)
class Verified:
    """What was gone through, and what does not hold."""

    views: int
    """Answers that were looked at."""
    problems: tuple[str, ...]


def verify(environment: Environment) -> Verified:
    """Go through all states: no answer is empty, none has a drained region, and while a region is healthy, no
    answer has one that is not. One that is held out is answered as if it were down (`in_effect`), so no state
    comes with it.

    Raises `ValueError` for more than `MOST` regions.
    """
    regions = sorted(environment.regions)
    if len(regions) > MOST:
        raise ValueError(f"{len(regions)} regions, and all states are gone through of {MOST} at most")
    bits = {region: 1 << index for index, region in enumerate(regions)}
    policies = list(_policies(environment))
    problems: dict[str, None] = {}
    views = 0
    for count in range(len(regions)):
        for drained in combinations(regions, count):
            out = sum(bits[region] for region in drained)
            for name, policy in policies:
                for clients, order in _orders(policy, regions, drained):
                    masks = [sum(bits[region] for region in group) for group in order]
                    states, wrong = _every_state(masks, (1 << len(regions)) - 1 & ~out, out)
                    views += states
                    if wrong:
                        problems[
                            f"{name}, {clients}, with {', '.join(drained) or 'nothing'} drained: {wrong}"
                        ] = None
    return Verified(views, tuple(problems))


def _every_state(masks: list[int], there: int, drained: int) -> tuple[int, str]:
    """How many states there are of regions that are not drained, and what is wrong in one of them."""
    count, healthy = 0, there
    while True:
        count += 1
        answer = next((mask & healthy for mask in masks if mask & healthy), masks[0] if masks else 0)
        if not answer:
            return count, "an answer is empty"
        if answer & drained:
            return count, "a drained region is answered"
        if healthy and answer & ~healthy:
            return count, "a region that is down is answered while another one is healthy"
        if not healthy:
            return count, ""
        healthy = (healthy - 1) & there


def _policies(environment: Environment) -> Iterator[tuple[str, RoutingPolicy]]:
    """Every policy that there is: for all hosts, and for single ones."""
    balancer = environment.global_load_balancer
    if balancer is not None:
        yield "all hosts", balancer.policy or RoutingPolicy()
        yield from sorted(balancer.host_policies.items(), key=lambda entry: entry[0])


def _orders(
    policy: RoutingPolicy, regions: Collection[str], drained: Collection[str]
) -> Iterator[tuple[str, list[set[str]]]]:
    """The regions of each tier, for clients of each place."""
    for name, place in (*sorted(policy.geography.items()), (EVERYBODY, None)):
        yield name, list(groups(policy, place, regions, drained))
