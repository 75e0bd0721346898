"""Pools: what fits, what is the last that fits, and what does not."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from components.manifests import named
from gate.rules.change.address_room import CHECK
from report.model import Severity, Status
from stacks.ledger import Ledger
from stacks.load import Stack
from stacks.model import AddressRange
from tests.unit.gate.rules.support import (
    against,
    changes,
    kubernetes,
    region,
    stack,
    with_environment,
    with_region,
)


def pools(**more: Any) -> Stack:
    return with_environment(stack(), lambda found: {"addresses": found.addresses.model_copy(update=more)})


def test_the_lab_has_room() -> None:
    assert against(CHECK, changes()) == []


@pytest.mark.parametrize(
    ("pool", "bad", "good"),
    [("pod_pool", "172.30.0.0/19", "172.30.0.0/18"), ("service_pool", "172.31.0.0/19", "172.31.0.0/18")],
)
def test_the_next_cluster_is_warned_of(pool: str, bad: str, good: str) -> None:
    (found,) = against(CHECK, changes(), of=pools(**{pool: IPv4Network(bad)}))
    assert (found.status, found.severity) == (Status.FAIL, Severity.WARNING)
    assert bad in found.message
    assert against(CHECK, changes(), of=pools(**{pool: IPv4Network(good)})) == []


@pytest.mark.parametrize(("prefix", "count"), [(21, 2), (22, 0)])
def test_the_next_node_is_warned_of_at_its_region(prefix: int, count: int) -> None:
    """Both clusters have two nodes, which a /20 holds twice over as /22 and just so as /21."""
    made = pools(pod_prefix_node=prefix)
    nodes = {
        name: {
            host: next(iter([*slices.pods.subnets(new_prefix=prefix)][index : index + 1]))
            for index, host in enumerate(sorted(made.ledger.nodes[name]))
        }
        for name, slices in made.ledger.clusters.items()
    }
    full = Stack(**{**vars(made), "ledger": Ledger(clusters=made.ledger.clusters, nodes=nodes)})
    found = against(CHECK, changes(same=[region("eu"), region("us")]), of=full)
    assert [(each.severity, each.urn.rpartition("::")[2]) for each in found] == [
        (Severity.WARNING, "eu"),
        (Severity.WARNING, "us"),
    ][:count]


def test_what_does_not_fit_is_an_error() -> None:
    made = pools(pod_pool=IPv4Network("172.30.0.0/20"))
    clusters = {name: slices for name, slices in made.ledger.clusters.items() if name == "eu"}
    without = Stack(**{**vars(made), "ledger": Ledger(clusters=clusters, nodes={})})
    (found,) = against(CHECK, changes(), of=without)
    assert found.severity is Severity.ERROR
    assert "172.30.0.0/20" in found.message


@pytest.mark.parametrize(("services", "severity"), [(1, None), (2, Severity.WARNING), (3, Severity.ERROR)])
def test_gateways_take_addresses_of_their_regions_range(services: int, severity: Severity | None) -> None:
    span = AddressRange(first=IPv4Address("10.101.1.200"), last=IPv4Address("10.101.1.201"))
    short = with_region(stack(), "eu", lambda _: {"load_balancer": span})
    same = [
        kubernetes(named("v1", "Service", f"gateway-{number}", "shop", spec={"type": "LoadBalancer"}))
        for number in range(services)
    ]
    other = kubernetes(named("v1", "Service", "inside", "shop", spec={"type": "ClusterIP"}))
    found = against(CHECK, changes(same=[*same, other, region("eu")]), of=short)
    assert [each.severity for each in found] == ([severity] if severity else [])
