"""Each rule over names, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from tests.unit.stacks.bad import (
    BALANCING,
    EDGES,
    Bad,
    Write,
    assert_refused,
    bad,
)

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
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
