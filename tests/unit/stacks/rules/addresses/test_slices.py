"""Each rule over slices, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from stacks.errors import StackFileError
from stacks.load import load_stack
from tests.unit.stacks.bad import (
    US_CP,
    US_WORKER,
    Bad,
    Write,
    assert_refused,
    bad,
)
from tests.unit.stacks.conftest import changed

CASES: dict[str, Bad] = {
    "node prefix above its cluster's": bad(
        ("servicePool: 172.31.0.0/16", "servicePool: 172.31.0.0/16\n      podPrefixNode: 18"),
        ("eu-cp-1: 172.30.0.0/24, eu-worker-1: 172.30.1.0/24", ""),
        ("us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24", ""),
        path="addresses.podPrefixNode",
        line="podPrefixNode",
        got="/18",
        rule="a slice is not larger than what it is cut from: podPrefixCluster /20",
        fix="choose 20 or more",
    ),
    "cluster prefix above the pool's": bad(
        ("podPool: 172.30.0.0/16", "podPool: 172.30.0.0/19\n      podPrefixCluster: 18"),
        (
            "    clusters:\n      eu: {pods: 172.30.0.0/20, services: 172.31.0.0/20}\n"
            "      us: {pods: 172.30.16.0/20, services: 172.31.16.0/20}\n",
            "",
        ),
        (
            "    nodes:\n      eu: {eu-cp-1: 172.30.0.0/24, eu-worker-1: 172.30.1.0/24}\n"
            "      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n",
            "",
        ),
        path="addresses.podPrefixCluster",
        line="podPrefixCluster",
        got="/18",
        rule="a slice is not larger than what it is cut from: podPool 172.30.0.0/19",
        fix="choose 19 or more",
    ),
    "pool for one cluster where there are two": bad(
        ("podPool: 172.30.0.0/16", "podPool: 172.30.0.0/20"),
        ("      us: {pods: 172.30.16.0/20, services: 172.31.16.0/20}\n", ""),
        ("      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n", ""),
        path="addresses.podPool",
        line="podPool",
        got="172.30.0.0/20, which holds 1 cluster of /20",
        rule="a slice for each of the 2 bare-metal clusters",
        fix="a pool of /19 would do, or podPrefixCluster: 21",
    ),
    "service pool for one cluster where there are two": bad(
        ("servicePool: 172.31.0.0/16", "servicePool: 172.31.0.0/20"),
        ("      us: {pods: 172.30.16.0/20, services: 172.31.16.0/20}\n", ""),
        ("      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n", ""),
        path="addresses.servicePool",
        line="servicePool",
        got="172.31.0.0/20, which holds 1 cluster of /20",
        rule="a slice for each of the 2 bare-metal clusters",
        fix="a pool of /19 would do, or servicePrefixCluster: 21",
    ),
    "cluster's slice for one node where there are two": bad(
        ("servicePool: 172.31.0.0/16", "servicePool: 172.31.0.0/16\n      podPrefixCluster: 24"),
        ("eu: {pods: 172.30.0.0/20", "eu: {pods: 172.30.0.0/24"),
        ("us: {pods: 172.30.16.0/20", "us: {pods: 172.30.16.0/24"),
        (", eu-worker-1: 172.30.1.0/24", ""),
        (", us-worker-1: 172.30.17.0/24", ""),
        (US_WORKER, ""),
        (US_CP, US_CP.replace("control-plane", "worker")),
        path="regions.eu.cluster.nodes",
        line="          nodes:",
        got="2 nodes, where a cluster's /24 holds 1 of /24",
        rule="a slice for each of its nodes",
        fix="podPrefixCluster: 23 would do for clusters that are not built yet, or podPrefixNode: 25",
        others=1,
    ),
    "retired clusters that fill the pool": bad(
        ("podPool: 172.30.0.0/16", "podPool: 172.30.0.0/19"),
        ("us: {pods: 172.30.16.0/20, services", "old: {pods: 172.30.16.0/20, services"),
        ("      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n", ""),
        path="addresses.podPool",
        line="podPool",
        got="172.30.0.0/19 holds 2 slices of /20, 2 are taken, 1 more are needed",
        rule="there is a slice for the cluster of region 'us'",
        fix="/18 would do",
    ),
    "more pods than addresses": bad(
        ("maxPods: 50", "maxPods: 254"),
        path="regions.eu.cluster.nodes.eu-worker-1",
        line="profile: small",
        got="maxPods 254, where a node's /24 has 253",
        rule="holds all pods of a node",
        fix="podPrefixNode: 23",
    ),
    "node without a slice": bad(
        (US_WORKER, US_WORKER + US_WORKER.replace("us-worker-1", "us-worker-2").replace(".72", ".73")),
        path="regions.us.cluster.nodes.us-worker-2",
        line="us-worker-2",
        got="no entry in crossmesh:ledger for the node 'us-worker-2' of region 'us'",
        rule="every cluster and node",
        fix="run `crossmesh ledger --stack test --write`, which adds `nodes.us.us-worker-2: 172.30.18.0/24`",
    ),
    "region without slices, which is one gap and not one for each node": bad(
        ("      us: {pods: 172.30.16.0/20, services: 172.31.16.0/20}\n", ""),
        ("      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n", ""),
        path="regions.us.cluster",
        line="cluster:",
        got="no entry in crossmesh:ledger for the cluster of region 'us' and its 2 nodes",
        rule="every cluster and node",
        fix="adds `clusters.us: {pods: 172.30.16.0/20, services: 172.31.16.0/20}`, and a slice for each node",
    ),
    "slice outside its pool": bad(
        (
            "us: {pods: 172.30.16.0/20, services: 172.31.16.0/20}",
            "us: {pods: 172.30.16.0/20, services: 172.29.0.0/20}",
        ),
        path="crossmesh:ledger.clusters.us.services",
        line="172.29.0.0/20",
        got="172.29.0.0/20",
        rule="lies in servicePool 172.31.0.0/16 (line 12)",
        fix="restore the entry",
    ),
    "node's slice outside its cluster's": bad(
        ("us-worker-1: 172.30.17.0/24", "us-worker-1: 172.30.33.0/24"),
        path="crossmesh:ledger.nodes.us.us-worker-1",
        line="172.30.33.0/24",
        got="172.30.33.0/24",
        rule="lies in its cluster's slice 172.30.16.0/20 (line 91)",
        fix="restore the entry",
    ),
    "nodes' slices without their cluster's": bad(
        (
            "      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n",
            "      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n"
            "      old: {old-1: 172.30.64.0/24}\n",
        ),
        path="crossmesh:ledger.nodes.old.old-1",
        line="old-1",
        got="172.30.64.0/24, and no entry clusters.old",
        rule="a node's slice lies in its cluster's",
        fix="add clusters.old",
    ),
    "slice of another size": bad(
        ("us-worker-1: 172.30.17.0/24", "us-worker-1: 172.30.17.0/25"),
        path="crossmesh:ledger.nodes.us.us-worker-1",
        line="172.30.17.0/25",
        got="172.30.17.0/25",
        rule="is a /24 (podPrefixNode)",
        fix="set podPrefixNode: 25 again",
    ),
    "slices that overlap": bad(
        ("us-worker-1: 172.30.17.0/24", "us-worker-1: 172.30.16.0/24"),
        path="crossmesh:ledger.nodes.us.us-worker-1",
        line="us-worker-1: 172.30.16.0/24",
        got="172.30.16.0/24, which overlaps 172.30.16.0/24: node 'us-cp-1' of region 'us' (line 94)",
        rule="do not overlap",
        fix="restore the entry that was changed",
    ),
    "slice that overlaps a retired one": bad(
        ("us: {us-cp-1: 172.30.16.0/24,", "us: {us-old-1: 172.30.16.128/25, us-cp-1: 172.30.16.0/24,"),
        path="crossmesh:ledger.nodes.us.us-cp-1",
        line="us-old-1",
        got="which overlaps 172.30.16.128/25: the retired node 'us-old-1'",
        rule="do not overlap",
        fix="restore",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)


def test_a_retired_slice_outside_its_pool_that_meets_a_machine_network_is_refused(write: Write) -> None:
    text = changed(
        (
            "    nodes:\n      eu: {eu-cp",
            "      old: {pods: 10.20.0.0/20, services: 172.31.32.0/20}\n    nodes:\n      eu: {eu-cp",
        )
    )
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    assert any(
        "10.20.0.0/16: the machine network of region 'cloud'" in found.got for found in caught.value.problems
    )
