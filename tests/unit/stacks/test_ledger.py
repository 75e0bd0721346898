"""The address ledger: what it hands out, and what it keeps."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from stacks.ledger import Ledger, PoolExhausted, Slices, assign, free_slice, missing, propose, retired
from stacks.model import Environment
from tests.unit.stacks.small import small


def environment(
    regions: dict[str, list[str]], adopted: dict[str, str] | None = None, **addresses: Any
) -> Environment:
    """An environment of bare-metal regions with these nodes, and adopted ones with this pod range."""
    declared: dict[str, Any] = {
        name: {
            "machineNetwork": f"10.1.{number}.0/24",
            "cluster": {
                "kind": "bareMetal",
                "nodes": {
                    node: {"address": f"10.1.{number}.{10 + index}", "role": "worker"}
                    for index, node in enumerate(nodes)
                },
            },
        }
        for number, (name, nodes) in enumerate(regions.items())
    }
    for number, (name, pods) in enumerate((adopted or {}).items()):
        declared[name] = {
            "machineNetwork": f"10.2.{number}.0/24",
            "cluster": {
                "kind": "adopted",
                "kubeconfigSecret": "x",
                "podCidr": pods,
                "serviceCidr": f"10.3.{number}.0/24",
            },
        }
    return Environment.model_validate(small(declared, addresses))


def slices(pods: str, services: str) -> Slices:
    return Slices(pods=IPv4Network(pods), services=IPv4Network(services))


def test_slices_are_handed_out_in_the_order_of_names() -> None:
    ledger = assign(environment({"us": ["b", "a"], "eu": ["c"]}), Ledger())
    assert ledger == Ledger(
        clusters={
            "eu": slices("172.30.0.0/20", "172.31.0.0/20"),
            "us": slices("172.30.16.0/20", "172.31.16.0/20"),
        },
        nodes={
            "eu": {"c": IPv4Network("172.30.0.0/24")},
            "us": {"a": IPv4Network("172.30.16.0/24"), "b": IPv4Network("172.30.17.0/24")},
        },
    )


def test_a_new_name_moves_no_slice() -> None:
    before = assign(environment({"m": ["m"]}), Ledger())
    after = assign(environment({"a": ["x"], "m": ["a", "m"], "z": ["x"]}), before)
    assert after.clusters["m"] == before.clusters["m"]
    assert after.nodes["m"]["m"] == before.nodes["m"]["m"]
    assert after.nodes["m"]["a"] == IPv4Network("172.30.1.0/24")
    assert after.clusters["a"].pods == IPv4Network("172.30.16.0/20")


def test_retired_slices_stay_reserved_and_are_there_again_when_the_name_comes_back() -> None:
    both = environment({"eu": ["a", "b"], "us": ["c"]})
    full = assign(both, Ledger())
    fewer = environment({"eu": ["b", "n"]})
    later = assign(fewer, full)
    assert [str(entry) for entry in retired(fewer, full)] == [
        "172.30.16.0/20, 172.31.16.0/20: reserved for the retired cluster of region 'us'",
        "172.30.0.0/24: reserved for the retired node 'a' of region 'eu'",
        "172.30.16.0/24: reserved for the retired node 'c' of region 'us'",
    ]
    assert later.nodes["eu"]["n"] == IPv4Network("172.30.2.0/24")
    assert assign(both, later) == later


def test_adopted_clusters_have_no_entry_and_what_they_have_of_the_pool_is_left_out() -> None:
    declared = environment({"eu": ["a"], "us": ["b"]}, adopted={"cloud": "172.30.4.0/22"})
    ledger = assign(declared, Ledger())
    assert set(ledger.clusters) == {"eu", "us"}
    assert [str(ledger.clusters[region].pods) for region in ("eu", "us")] == [
        "172.30.16.0/20",
        "172.30.32.0/20",
    ]


def test_what_is_missing_is_proposed_as_it_would_be_assigned() -> None:
    declared = environment({"eu": ["a", "b"]})
    start = Ledger(
        clusters={"eu": slices("172.30.0.0/20", "172.31.0.0/20")},
        nodes={"eu": {"a": IPv4Network("172.30.5.0/24")}},
    )
    assert [str(gap) for gap in missing(declared, start)] == ["node 'b' of region 'eu'"]
    assert [str(proposal) for proposal in propose(declared, start)] == ["`nodes.eu.b: 172.30.0.0/24`"]
    assert str(propose(declared, Ledger())[0]) == (
        "`clusters.eu: {pods: 172.30.0.0/20, services: 172.31.0.0/20}`"
    )
    assert missing(declared, assign(declared, start)) == ()


@pytest.mark.parametrize(
    ("addresses", "words", "larger"),
    [
        (
            {"podPool": "172.30.0.0/19"},
            "172.30.0.0/19 holds 2 slices of /20, 2 are taken, 1 more are needed",
            18,
        ),
        (
            {"servicePool": "172.31.0.0/20"},
            "172.31.0.0/20 holds 1 slices of /20, 1 are taken, 2 more are needed",
            18,
        ),
        ({"podPrefixCluster": 23}, "172.30.0.0/23 holds 2 slices of /24, 2 are taken, 1 more are needed", 22),
    ],
)
def test_a_pool_that_is_full_says_what_is_needed_and_what_would_do(
    addresses: dict[str, Any], words: str, larger: int
) -> None:
    with pytest.raises(PoolExhausted) as caught:
        assign(environment({"a": ["1", "2", "3"], "b": ["4"], "c": ["5"]}, **addresses), Ledger())
    assert str(caught.value) == words
    assert caught.value.larger_pool() == larger


@pytest.mark.parametrize(
    ("prefix", "taken", "free"),
    [
        (24, [], "172.30.0.0/24"),
        (24, ["172.30.0.0/24"], "172.30.1.0/24"),
        (24, ["172.30.0.128/25"], "172.30.1.0/24"),
        (24, ["172.30.1.0/24"], "172.30.0.0/24"),
        (23, ["172.30.1.0/24"], "172.30.2.0/23"),
        (24, ["172.30.0.0/23", "172.30.0.0/24", "172.30.3.0/24"], "172.30.2.0/24"),
        (24, ["10.0.0.0/8"], "172.30.0.0/24"),
        (24, ["172.0.0.0/8"], None),
        (22, ["172.30.3.255/32"], None),
        (22, [], "172.30.0.0/22"),
        (21, [], None),
    ],
)
def test_a_free_slice_is_the_lowest_that_overlaps_nothing(
    prefix: int, taken: list[str], free: str | None
) -> None:
    found = free_slice(IPv4Network("172.30.0.0/22"), prefix, map(IPv4Network, taken))
    assert found == (IPv4Network(free) if free else None)


def test_a_pool_of_millions_of_slices_takes_no_longer_than_its_entries() -> None:
    taken = [IPv4Network((0x0A000000 + (number << 8), 24)) for number in range(2000)]
    assert free_slice(IPv4Network("10.0.0.0/8"), 28, taken) == IPv4Network("10.7.208.0/28")
