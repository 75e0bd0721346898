"""Each rule over namespaces, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from tests.unit.stacks.bad import (
    Bad,
    Write,
    assert_refused,
    bad,
)

CASES: dict[str, Bad] = {
    "namespace of the system": bad(
        ("      back: {inj", "      kube-system: {injection: false}\n      back: {inj"),
        path="namespaces.kube-system",
        line="kube-system",
        got="the namespace 'kube-system'",
        rule="belong to the platform",
        fix="choose another name",
    ),
    "sidecars where pod security refuses them": bad(
        ("shop: {podSecurity: privileged}", "shop: {podSecurity: baseline}"),
        path="namespaces.shop",
        line="shop: {pod",
        got="podSecurity baseline with injection",
        rule="NET_ADMIN",
        fix="write podSecurity: privileged",
    ),
    "application in an unknown namespace": bad(
        ("namespace: back\n        image", "namespace: bac\n        image"),
        ("application: stock", "application: front"),
        ("namespace: back\n        host", "namespace: shop\n        host"),
        path="applications.stock.namespace",
        line="namespace: bac\n",
        got="the unknown namespace 'bac'",
        rule="namespaces there are: back, shop",
        fix="did you mean 'back'?",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
