"""Each rule over applications, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from tests.unit.stacks.bad import (
    Bad,
    Write,
    assert_refused,
    bad,
)

CASES: dict[str, Bad] = {
    "request above its limit": bad(
        ("front:1.0\n", "front:1.0\n        resources: {requests: {memory: 2Gi}}\n"),
        path="applications.front.resources",
        line="resources",
        got="a request for 2Gi of memory, and a limit of 256Mi",
        rule="a request is not above its limit",
        fix="limits: {memory: 2Gi}",
    ),
    "amount that is none": bad(
        ("front:1.0\n", "front:1.0\n        resources: {requests: {memory: 2 GB}}\n"),
        path="applications.front.resources.requests.memory",
        line="2 GB",
        got="2 GB",
        rule="an amount as Kubernetes writes it",
        fix="write 2G",
    ),
    "application that begins with a digit": bad(
        ("      front:\n", "      3d:\n        {namespace: shop, image: example.test/3d:1}\n      front:\n"),
        path="applications.3d",
        line="      3d:",
        got="the name '3d'",
        rule="begins with a letter",
        fix="app-3d",
    ),
    "environment variable with a digit first": bad(
        ("LOG_LEVEL: info", "2nd level: info"),
        path="applications.stock.environment.2nd level",
        line="2nd level",
        got="the name '2nd level'",
        rule="letters, digits and _ . -",
        fix="write for example ND_LEVEL",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
