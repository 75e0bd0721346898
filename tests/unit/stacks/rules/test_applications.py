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
