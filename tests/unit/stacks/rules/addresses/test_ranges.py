"""Each rule over ranges, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from tests.unit.stacks.bad import (
    Bad,
    Write,
    assert_refused,
    bad,
)

CASES: dict[str, Bad] = {
    "pools that overlap": bad(
        ("servicePool: 172.31.0.0/16", "servicePool: 172.30.0.0/15"),
        path="addresses.servicePool",
        line="servicePool",
        got="172.30.0.0/15, which overlaps 172.30.0.0/16: the pod pool",
        rule="the service pool and the pod pool do not overlap",
        fix="10.0.0.0/15 is free",
    ),
    "machine networks that overlap": bad(
        ("machineNetwork: 192.0.2.64/26", "machineNetwork: 192.0.2.0/25"),
        path="regions.us.machineNetwork",
        line="192.0.2.0/25",
        got="192.0.2.0/25, which overlaps 192.0.2.0/26: the machine network of region 'eu' (line 31)",
        rule="do not overlap",
        fix="10.0.0.0/25 is free",
    ),
    "machine network inside a pool": bad(
        ("machineNetwork: 10.20.0.0/16", "machineNetwork: 172.30.128.0/24"),
        path="regions.cloud.machineNetwork",
        line="172.30.128.0/24",
        got="172.30.0.0/16: the pod pool (line 11)",
        rule="the machine network of region 'cloud' and the pod pool do not overlap",
        fix="is free",
    ),
    "services of an adopted cluster in a machine network": bad(
        ("serviceCidr: 10.21.0.0/20", "serviceCidr: 10.20.0.0/20"),
        path="regions.cloud.cluster.serviceCidr",
        line="serviceCidr",
        got="10.20.0.0/20, which overlaps 10.20.0.0/16: the machine network of region 'cloud'",
        rule="do not overlap",
        fix="is free",
    ),
    "pods and services of an adopted cluster": bad(
        ("serviceCidr: 10.21.0.0/20", "serviceCidr: 10.21.0.0/16"),
        ("podCidr: 10.20.128.0/17", "podCidr: 10.21.8.0/24"),
        path="regions.cloud.cluster.serviceCidr",
        line="serviceCidr",
        got="10.21.0.0/16, which overlaps 10.21.8.0/24: the pods of the adopted cluster of region 'cloud'",
        rule="do not overlap",
        fix="is free",
    ),
    "adopted cluster on a slice": bad(
        ("podCidr: 10.20.128.0/17", "podCidr: 172.30.16.0/22"),
        path="regions.cloud.cluster.podCidr",
        line="podCidr",
        got="172.30.16.0/22, which overlaps 172.30.16.0/20: the pods of the cluster of region 'us' (cross",
        rule="the pods of the adopted cluster of region 'cloud' and of the pods of the cluster of region 'u",
        fix="172.30.32.0/20 is free in 172.30.0.0/16",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
