"""Slices stay with their owners; what the ledger gives out anew nobody has had."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from components.manifests import network
from gate.rules.change.slices_kept import CHECK
from report.model import Resource
from stacks.ledger import Ledger, Slices
from stacks.load import Stack
from tests.unit.gate.rules.support import against, changes, kubernetes, region, stack

HERE = [region("eu"), region("us")]


def given(**nodes: str) -> Stack:
    """The lab with these slices for nodes of `us`."""
    found = stack()
    made = {name.replace("_", "-"): IPv4Network(slice_) for name, slice_ in nodes.items()}
    ledger = Ledger(clusters=found.ledger.clusters, nodes={**found.ledger.nodes, "us": made})
    return replace(found, ledger=ledger)


NODES = {"us_cp_1": "172.30.16.0/24", "us_worker_1": "172.30.17.0/24"}


def test_a_node_keeps_its_slice() -> None:
    moved = given(**{**NODES, "us_worker_1": "172.30.18.0/24"})
    (found,) = against(CHECK, changes(same=HERE), of=moved, before=stack())
    assert "node us-worker-1: its slice was 172.30.17.0/24, and will be 172.30.18.0/24" in found.message
    assert found.urn == HERE[1].urn
    assert against(CHECK, changes(same=HERE), of=given(**NODES), before=stack()) == []


@pytest.mark.parametrize("part", ["pods", "services"])
def test_a_cluster_keeps_its_slices(part: str) -> None:
    found = stack()
    other = found.ledger.clusters["eu"].model_copy(update={part: IPv4Network("10.9.0.0/20")})
    moved = replace(
        found, ledger=Ledger(clusters={**found.ledger.clusters, "eu": other}, nodes=found.ledger.nodes)
    )
    assert len(against(CHECK, changes(same=HERE), of=moved, before=found)) == 1


@pytest.mark.parametrize(("slice_", "count"), [("172.30.18.0/24", 0), ("172.30.17.0/24", 1)])
def test_a_new_node_does_not_inherit(slice_: str, count: int) -> None:
    renamed = given(us_cp_1="172.30.16.0/24", us_worker_2=slice_)
    found = against(CHECK, changes(same=HERE), of=renamed, before=stack())
    assert len(found) == count
    assert all("goes to node us-worker-2 of region 'us'" in each.message for each in found)


def test_more_is_no_move() -> None:
    assert (
        against(CHECK, changes(same=HERE), of=given(**NODES, us_worker_2="172.30.18.0/24"), before=stack())
        == []
    )


def record(worker: str) -> Resource:
    nodes = {"us-cp-1": "172.30.16.0/24", "us-worker-1": worker}
    return kubernetes(network.slices("us", "172.30.16.0/20", "172.31.16.0/20", nodes), "us")


@pytest.mark.parametrize(("worker", "count"), [("172.30.17.0/24", 0), ("172.30.30.0/24", 1)])
def test_without_a_base_what_was_applied_counts(worker: str, count: int) -> None:
    assert len(against(CHECK, changes(same=[*HERE, record(worker)]))) == count


def test_an_adopted_cluster_has_ranges_of_its_own() -> None:
    """What is declared of it may be corrected: nothing was given to it."""
    told = kubernetes(network.slices("cloud", "10.96.0.0/20", "10.112.0.0/20", {}), "cloud")
    assert against(CHECK, changes(same=[region("cloud"), told]), of=stack("staging")) == []


def test_a_cluster_that_is_retired_leaves_its_slice_reserved() -> None:
    found = stack()
    clusters = {"us": found.ledger.clusters["us"]}
    heir = Slices(pods=found.ledger.clusters["eu"].pods, services=IPv4Network("172.31.32.0/20"))
    handed_on = replace(found, ledger=Ledger(clusters={**clusters, "ap": heir}, nodes={}))
    said = against(CHECK, changes(same=HERE), of=handed_on, before=found)
    assert [each.message.partition(",")[0] for each in said] == [
        "172.30.0.0/20 was the slice of pods of region 'eu'"
    ]
