"""Each rule over names, broken once in a file that is right otherwise."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from stacks.rules import names
from tests.unit.stacks.bad import (
    BALANCING,
    EDGES,
    Bad,
    Write,
    assert_refused,
    bad,
)
from tests.unit.stacks.routing_cases import environment

CASES: dict[str, Bad] = {
    "domain below another one": bad(
        (
            "    domain: example.test\n",
            "    domain: example.test\n    domains: [a.test, shop.example.test]\n",
        ),
        path="domains[1]",
        line="domains",
        got="shop.example.test, beside example.test",
        rule="no domain is another one, or below it",
        fix="the shorter one alone",
    ),
    "domain above another one": bad(
        ("    domain: example.test\n", "    domain: example.test\n    domains: [b.a.test, a.test]\n"),
        path="domains[1]",
        line="domains",
        got="a.test, beside b.a.test",
        rule="no domain is another one, or below it",
        fix="the shorter one alone",
    ),
    "global load balancing without an edge": bad(
        (EDGES, ""),
        path="globalLoadBalancer",
        line="globalLoadBalancer",
        got="no edge host in any region",
        rule="answered by edge hosts",
        fix="add `edges`",
    ),
    "edges with nothing to answer": bad(
        (BALANCING, ""),
        path="regions.eu.edges",
        line="        edges:",
        got="edge hosts (eu-edge-1), and no `globalLoadBalancer`",
        rule="edge hosts answer",
        fix="add `globalLoadBalancer: {}`",
    ),
    "probe longer than its interval": bad(
        ("interval: 3, timeout: 2", "interval: 3, timeout: 3"),
        path="globalLoadBalancer.healthCheck",
        line="timeout: 3",
        got="timeout 3 s, interval 3 s",
        rule="`timeout` is less than `interval`",
        fix="write timeout: 2, or interval: 4",
    ),
    "regions that are held for a time and by hand": bad(
        ("interval: 3, timeout: 2", "interval: 3, timeout: 2, holdDown: 60, return: byHand"),
        path="globalLoadBalancer.healthCheck.holdDown",
        line="holdDown",
        got="60 s, and `return: byHand`",
        rule="after a time, or by hand",
        fix="take one out",
    ),
    "a region returned that comes back by itself": bad(
        ("interval: 3, timeout: 2", "interval: 3, timeout: 2, returned: {eu: 1}"),
        path="globalLoadBalancer.healthCheck.returned",
        line="returned",
        got="`returned`, without `return: byHand`",
        rule="are returned by nobody",
        fix="take it out",
    ),
    "a region returned that there is not": bad(
        ("interval: 3, timeout: 2", "interval: 3, timeout: 2, return: byHand, returned: {ue: 1}"),
        path="globalLoadBalancer.healthCheck.returned.ue",
        line="returned",
        got="the unknown region 'ue'",
        rule="regions",
        fix="take it out",
    ),
}


def test_a_region_alone_is_held_beside_nobody() -> None:
    found: list[str] = []
    for regions in (["eu"], ["eu", "us"]):
        declared = environment(regions, {}, {}, healthCheck={"holdDown": 60})
        check = SimpleNamespace(
            environment=declared, intact=lambda *_: True, problem=lambda path, got, *_: found.append(got)
        )
        names.regions_are_held_beside_others(check)  # type: ignore[arg-type]
    assert found == ["holdDown: 60, with one region"]


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
