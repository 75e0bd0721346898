"""Each rule over network, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from tests.unit.stacks.bad import (
    US_BALANCER,
    US_FABRIC,
    Bad,
    Write,
    assert_refused,
    bad,
)

CASES: dict[str, Bad] = {
    "load balancer outside its network": bad(
        ("last: 192.0.2.109", "last: 192.0.2.129"),
        path="regions.us.loadBalancer",
        line="192.0.2.129",
        got="192.0.2.100 to 192.0.2.129",
        rule="the range lies in the machine network 192.0.2.64/26 of region 'us' (line 42)",
        fix="choose addresses of 192.0.2.64/26",
    ),
    "load balancer around its network": bad(
        ("first: 192.0.2.100, last: 192.0.2.109", "first: 192.0.2.60, last: 192.0.2.130"),
        path="regions.us.loadBalancer",
        line="192.0.2.60",
        got="192.0.2.60 to 192.0.2.130",
        rule="in the machine network 192.0.2.64/26 of region 'us' (line 42), or wholly beside it",
        fix="choose addresses of 192.0.2.64/26",
    ),
    "load balancer beside its network in the pod pool": bad(
        ("first: 192.0.2.100, last: 192.0.2.109", "first: 172.30.255.1, last: 172.30.255.9"),
        path="regions.us.loadBalancer",
        line="172.30.255.1",
        got="172.30.255.1 to 172.30.255.9, which overlaps 172.30.0.0/16: the pod pool (line 11)",
        rule="of nobody else",
        fix="choose addresses that nobody has",
    ),
    "load balancer in another region's machine network": bad(
        ("first: 192.0.2.100, last: 192.0.2.109", "first: 192.0.2.50, last: 192.0.2.59"),
        path="regions.us.loadBalancer",
        line="192.0.2.50",
        got="overlaps 192.0.2.0/26: the machine network of region 'eu'",
        rule="of nobody else",
        fix="choose addresses that nobody has",
    ),
    "load balancers of two regions that meet": bad(
        ("first: 192.0.2.40, last: 192.0.2.49", "first: 198.51.100.1, last: 198.51.100.9"),
        ("first: 192.0.2.100, last: 192.0.2.109", "first: 198.51.100.9, last: 198.51.100.20"),
        path="regions.us.loadBalancer",
        line="198.51.100.20",
        got="which overlaps 198.51.100.1 to 198.51.100.9 of region 'eu' (line 33)",
        rule="every region has load-balancer addresses of its own",
        fix="choose another range",
    ),
    "load balancer that nothing announces": bad(
        (
            "machineNetwork: 10.20.0.0/16",
            "machineNetwork: 10.20.0.0/16\n        loadBalancer: {first: 10.22.0.9, last: 10.22.0.19}",
        ),
        path="regions.cloud.loadBalancer",
        line="10.22.0.9",
        got="10.22.0.9 to 10.22.0.19",
        rule="are announced by BGP to the routers of `fabric`, and there is none",
        fix="choose addresses of 10.20.0.0/16",
    ),
    "load balancer the wrong way round": bad(
        ("first: 192.0.2.100, last: 192.0.2.109", "first: 192.0.2.109, last: 192.0.2.100"),
        path="regions.us.loadBalancer",
        line="192.0.2.109",
        got="192.0.2.109 to 192.0.2.100",
        rule="`first` is not above `last`",
        fix="write first: 192.0.2.100, last: 192.0.2.109",
    ),
    "load balancer with the broadcast address": bad(
        ("last: 192.0.2.109", "last: 192.0.2.127"),
        path="regions.us.loadBalancer",
        line="192.0.2.127",
        got="192.0.2.100 to 192.0.2.127",
        rule="leaves out the broadcast address 192.0.2.127",
        fix="shorten it",
    ),
    "load balancer with a host": bad(
        ("first: 192.0.2.100", "first: 192.0.2.72"),
        path="regions.us.loadBalancer",
        line="first: 192.0.2.72",
        got="which contains 192.0.2.72 of host 'us-worker-1' of region 'us' (line 52)",
        rule="contains no host and no router",
        fix="choose a range beside it",
    ),
    "load balancer with a router": bad(
        ("first: 192.0.2.100, last: 192.0.2.109", "first: 192.0.2.65, last: 192.0.2.70"),
        path="regions.us.loadBalancer",
        line="last: 192.0.2.70",
        got="which contains 192.0.2.65 of the fabric peer of region 'us'",
        rule="contains no host and no router",
        fix="choose a range beside it",
    ),
    "router elsewhere": bad(
        ("address: 192.0.2.65", "address: 198.51.100.1"),
        path="regions.us.fabric.peers[0]",
        line="198.51.100.1",
        got="198.51.100.1",
        rule="a fabric peer's address lies in the machine network 192.0.2.64/26",
        fix="in that network",
    ),
    "bare metal beside others without a fabric": bad(
        (US_FABRIC, ""),
        path="regions.us.fabric",
        line="      us:\n",
        got="nothing",
        rule="asn). Tunnels between regions or machines: not supported yet (docs/reference/",
        fix="add `fabric` to region 'us'",
    ),
    "bare metal without load-balancer addresses": bad(
        (US_BALANCER, ""),
        path="regions.us.loadBalancer",
        line="      us:\n",
        got="nothing",
        rule="a bare-metal region declares `loadBalancer`",
        fix="add `loadBalancer` to region 'us'",
    ),
    "fabric of an adopted cluster": bad(
        (
            "machineNetwork: 10.20.0.0/16",
            "machineNetwork: 10.20.0.0/16\n        fabric: {asn: 64514, peers: [{address: "
            "10.20.0.1, asn: 64510}]}",
        ),
        path="regions.cloud.fabric",
        line="64514",
        got="a fabric",
        rule="machines are not configured",
        fix="remove it",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
