"""Address pools have room for what is declared, and for what comes next."""

from __future__ import annotations

from collections.abc import Iterator

from components.tokens import REGION
from gate.rules.subject import Check, Subject, failed, part
from report.model import Finding, Rule, Severity
from report.urns import kind
from stacks.ledger import Ledger, PoolExhausted, assign, declared_nodes
from stacks.model import BareMetalClusterSpec, Environment

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
    environment, ledger = subject.stack.environment, subject.stack.ledger
    urns = {found.name: found.urn for found in subject.after if found.type == REGION}
    try:
        full = assign(environment, ledger)
    except PoolExhausted as error:
        yield failed(RULE, f"region '{error.region}': {error}", urns.get(error.region, ""))
        return
    yield from _next_cluster(environment, full)
    for region in declared_nodes(environment):
        shortage = _exhausted(_with_node(environment, region), full)
        if shortage is not None:
            what = f"the cluster of region '{region}' has no slice left for one more node"
            yield _warning(what, shortage, urns.get(region, ""))
    yield from _load_balancers(subject, urns)


def _next_cluster(environment: Environment, full: Ledger) -> Iterator[Finding]:
    if not declared_nodes(environment):
        return
    shortage = _exhausted(_with_cluster(environment), full)
    if shortage is not None:
        yield _warning("one more cluster on bare metal would have no slice", shortage, "")


def _warning(what: str, error: PoolExhausted, urn: str) -> Finding:
    words = f"{what}: {error}; a /{error.larger_pool()} would hold it"
    fix = "plan a larger pool before it is needed"
    return failed(RULE, words, urn, severity=Severity.WARNING, fix=fix)


def _exhausted(environment: Environment, ledger: Ledger) -> PoolExhausted | None:
    try:
        assign(environment, ledger)
    except PoolExhausted as error:
        return error
    return None


def _with_cluster(environment: Environment) -> Environment:
    """The environment with one more cluster on bare metal, of one node."""
    regions = environment.regions.values()
    model = next(found for found in regions if isinstance(found.cluster, BareMetalClusterSpec))
    assert isinstance(model.cluster, BareMetalClusterSpec)
    node = next(iter(model.cluster.nodes.values()))
    cluster = model.cluster.model_copy(update={"nodes": {_NEXT: node}})
    region = model.model_copy(update={"cluster": cluster})
    return environment.model_copy(update={"regions": {**environment.regions, _NEXT: region}})


def _with_node(environment: Environment, region: str) -> Environment:
    """The environment with one more node in a region on bare metal."""
    found = environment.regions[region]
    assert isinstance(found.cluster, BareMetalClusterSpec)
    nodes = {**found.cluster.nodes, _NEXT: next(iter(found.cluster.nodes.values()))}
    changed = found.model_copy(update={"cluster": found.cluster.model_copy(update={"nodes": nodes})})
    return environment.model_copy(update={"regions": {**environment.regions, region: changed}})


def _load_balancers(subject: Subject, urns: dict[str, str]) -> Iterator[Finding]:
    """Each service of type LoadBalancer takes an address of its region's range."""
    counted: dict[str, int] = {}
    for resource in subject.after:
        if kind(resource) == "Service" and part(resource, "spec").get("type") == "LoadBalancer":
            owner = resource.region
            counted[owner] = counted.get(owner, 0) + 1
    for name, region in sorted(subject.stack.environment.regions.items()):
        span, number = region.load_balancer, counted.get(name, 0)
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
