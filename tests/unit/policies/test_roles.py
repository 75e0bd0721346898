"""Roles do not grant by wildcard, but for those that are named."""

from __future__ import annotations

from typing import Any

import pytest

from components.manifests import Manifest, named
from policies.roles import ALLOWED, POLICY
from tests.unit.policies.support import changed, violations

RULE: dict[str, Any] = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}


def role(*rules: dict[str, Any], name: str = "reader", kind: str = "ClusterRole") -> Manifest:
    namespace = "shop" if kind == "Role" else None
    return named("rbac.authorization.k8s.io/v1", kind, name, namespace, rules=list(rules))


@pytest.mark.parametrize("kind", ["ClusterRole", "Role"])
@pytest.mark.parametrize("field", ["apiGroups", "resources", "verbs"])
def test_each_wildcard_is_found(kind: str, field: str) -> None:
    assert violations(POLICY, role(RULE, kind=kind)) == []
    (said,) = violations(POLICY, role(RULE, {**RULE, field: ["*"]}, kind=kind))
    assert said == f"rules[1] has '*' in {field}"


def test_urls_are_looked_at() -> None:
    good = {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}
    assert violations(POLICY, role(good)) == []
    assert len(violations(POLICY, role({**good, "nonResourceURLs": ["*"]}))) == 1


@pytest.mark.parametrize(("name", "count"), [("view", 0), ("cluster-admin", 1)])
def test_nobody_is_bound_to_everything(name: str, count: int) -> None:
    binding = named(
        "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "b", roleRef={"name": name}, subjects=[]
    )
    assert len(violations(POLICY, binding)) == count


ISTIOD = "istiod-clusterrole-istio-system"
READ_ISTIO = {"apiGroups": ["networking.istio.io"], "resources": ["*"], "verbs": ["get", "list", "watch"]}


def test_a_named_role_grants_what_is_named_and_no_more() -> None:
    assert violations(POLICY, role(READ_ISTIO, name=ISTIOD)) == []
    for worse in (
        {**READ_ISTIO, "verbs": ["get", "delete"]},
        {**READ_ISTIO, "apiGroups": ["networking.istio.io", ""]},
    ):
        assert len(violations(POLICY, role(worse, name=ISTIOD))) == 1
    assert len(violations(POLICY, role(READ_ISTIO, name="other"))) == 1
    for part in ("istiod", "istio-reader"):
        assert violations(POLICY, role(READ_ISTIO, name=f"{part}-clusterrole-canary-istio-system")) == []
    assert len(violations(POLICY, role(READ_ISTIO, name="my-istiod-clusterrole-istio-system"))) == 1


def test_a_named_role_is_that_of_its_namespace() -> None:
    grant = {"apiGroups": ["metallb.io"], "resources": ["servicebgpstatuses"], "verbs": ["*"]}
    lister = named("rbac.authorization.k8s.io/v1", "Role", "pod-lister", "metallb-system", rules=[grant])
    assert violations(POLICY, lister) == []
    assert len(violations(POLICY, changed(lister, "shop", "metadata", "namespace"))) == 1


def test_each_exception_says_why() -> None:
    assert all(len(grant.why) > 20 for grants in ALLOWED.values() for grant in grants)


def test_the_speaker_of_each_release_writes_down_what_it_announces_and_no_more() -> None:
    kinds = [
        "servicel2statuses",
        "servicel2statuses/status",
        "configurationstates",
        "configurationstates/status",
    ]
    grant = {"apiGroups": ["metallb.io"], "resources": kinds, "verbs": ["*"]}
    assert violations(POLICY, role(grant, name="metallb-system:speaker")) == []
    more = {**grant, "resources": [*kinds, "bgppeers"]}
    assert len(violations(POLICY, role(more, name="metallb-system:speaker"))) == 1
