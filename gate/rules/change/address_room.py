"""Address pools have room for what is declared, and for what comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from components.values.exposure import LOAD_BALANCER
from gate.rules.subject import Check, Subject, failed, part, region_urns
from report.model import Finding, Rule, Severity
from report.urns import kind
from stacks.ledger import PoolExhausted, assign
from stacks.model import BareMetalClusterSpec, Environment, RegionSpec

RULE = Rule(
    "change/address-room",
    "Address pools have room",
    "A pool that is full stops the next cluster or node, and pools do not grow while they are in use. An "
    "error when what is declared does not fit, a warning when one more cluster, node or gateway would not: "
    "plan the next pool before it is needed.",
)

_NEXT = "zz-next"
"""Name of the cluster and of the node that are tried; sorted last, so that none gets another slice for it."""


def _find(subject: Subject) -> Iterator[Finding]:
    environment, urns = subject.stack.environment, region_urns(subject.after)
    try:
        full = assign(environment, subject.stack.ledger)
    except PoolExhausted as error:
        yield failed(RULE, f"region '{error.region}': {error}", urns.get(error.region, ""))
        return
    for what, region, larger in _with_one_more(environment):
        try:
            assign(larger, full)
        except PoolExhausted as error:
            words = f"{what}: {error}; a /{error.larger_pool()} would hold it"
            fix = "plan a larger pool before it is needed"
            yield failed(RULE, words, urns.get(region, ""), severity=Severity.WARNING, fix=fix)
    yield from _load_balancers(subject, urns)


def _with_one_more(environment: Environment) -> Iterator[tuple[str, str, Environment]]:
    """The environment with one more cluster on bare metal, and with one more node in each that there is: what
    it means if that does not fit, and the region that it is about.
    """

    def with_nodes(name: str, region: RegionSpec, nodes: Mapping[str, Any]) -> Environment:
        cluster = region.cluster.model_copy(update={"nodes": nodes})
        changed = {name: region.model_copy(update={"cluster": cluster})}
        return environment.model_copy(update={"regions": {**environment.regions, **changed}})

    first = True
    for name, region in sorted(environment.regions.items()):
        if isinstance(region.cluster, BareMetalClusterSpec):
            nodes = region.cluster.nodes
            more = {_NEXT: next(iter(nodes.values()))}
            if first:
                words = "one more cluster on bare metal would have no slice"
                yield words, "", with_nodes(_NEXT, region, more)
                first = False
            words = f"the cluster of region '{name}' has no slice left for one more node"
            yield words, name, with_nodes(name, region, {**nodes, **more})


def _load_balancers(subject: Subject, urns: dict[str, str]) -> Iterator[Finding]:
    """Each service of type LoadBalancer takes an address of its region's range."""
    counted = Counter(
        resource.region
        for resource in subject.after
        if kind(resource) == "Service" and part(resource, "spec").get("type") == LOAD_BALANCER
    )
    for name, region in sorted(subject.stack.environment.regions.items()):
        span, number = region.load_balancer, counted[name]
        if span is None:
            continue
        room = int(span.last) - int(span.first) + 1
        addresses = f"{room} addresses ({span.first} to {span.last})"
        what = f"region '{name}': {number} services of type LoadBalancer, {addresses}"
        fix = f"make loadBalancer of region '{name}' longer"
        if number > room:
            yield failed(RULE, f"{what}: {number - room} would stay pending", urns.get(name, ""), fix=fix)
        elif number == room:
            words = f"{what}: one more would stay pending"
            yield failed(RULE, words, urns.get(name, ""), severity=Severity.WARNING, fix=fix)


CHECK = Check("addresses", RULE, _find)
