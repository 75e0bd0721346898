"""Each point of clusters: what Crossmesh makes, a cluster that keeps to it, and one that does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from live.hardening import clusters
from live.hardening.facts import PROXY, ClusterFacts
from live.hardening.model import Point, State
from live.hardening.points import OF_CLUSTERS
from tests.unit.live.hardening.made_cluster import (
    APPLICATIONS,
    MADE,
    Change,
    also,
    binding,
    bound,
    only,
    pod,
    role,
    rule,
)

_STRICT = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_QUIET = pod(context=_STRICT)
_CSR = "certificates.k8s.io"


def _pod_with(**spec: object) -> Change:
    return also("pods", pod(context=_STRICT, **spec))


def _container_with(**context: object) -> Change:
    return also("pods", pod(context={**_STRICT, **context}))


def _port(facts: ClusterFacts) -> ClusterFacts:
    taking = pod(context=_STRICT)
    taking["spec"]["containers"][0]["ports"] = [{"hostPort": 80}]
    return also("pods", taking)(facts)


def _variable(facts: ClusterFacts) -> ClusterFacts:
    having = pod(context=_STRICT)
    reference = {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    having["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", **reference}]
    return also("pods", having)(facts)


_LABELS = {"pod-security.kubernetes.io/enforce": "restricted"}

HOLDING: Mapping[str, Change] = {
    "5.1.5": only(
        "serviceaccounts",
        {"metadata": {"name": "default", "namespace": APPLICATIONS}, "automountServiceAccountToken": False},
    ),
    "5.1.7": lambda facts: replace(facts, organizations=("operators",)),
    "5.2.1": only("namespaces", {"metadata": {"name": APPLICATIONS, "labels": _LABELS}}),
    "5.2.7": only("pods", _QUIET),
    "5.2.8": only("pods", _QUIET),
    "5.2.9": only("pods", _QUIET),
    "5.3.2": also("networkpolicies", {"metadata": {"name": "none", "namespace": APPLICATIONS}}),
    "5.4.2": lambda facts: replace(facts, groups=frozenset({"external-secrets.io"})),
}
"""What makes a point hold that does not where Crossmesh has made everything."""
FAILING: Mapping[str, Change] = {
    "3.1.3": also("clusterrolebindings", binding("theirs", "view", "system:bootstrappers")),
    "4.3.1": lambda facts: replace(facts, proxy={"metricsBindAddress": "0.0.0.0:10249"}),
    "5.1.1": also("clusterrolebindings", binding("theirs", "cluster-admin", "people")),
    "5.1.2": bound(rule("", "secrets", "list")),
    "5.1.3": also("clusterroles", role("own", rule("apps", "*", "get"))),
    "5.1.4": bound(rule("", "pods", "create"), namespace=APPLICATIONS),
    "5.1.6": _pod_with(
        volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]
    ),
    "5.1.8": bound(rule("rbac.authorization.k8s.io", "clusterroles", "escalate")),
    "5.1.9": bound(rule("", "persistentvolumes", "create")),
    "5.1.10": bound(rule("", "nodes/proxy", "get")),
    "5.1.11": bound(rule(_CSR, "certificatesigningrequests/approval", "update")),
    "5.1.12": bound(rule("admissionregistration.k8s.io", "validatingwebhookconfigurations", "patch")),
    "5.1.13": bound(rule("", "serviceaccounts/token", "create"), namespace=APPLICATIONS),
    "5.2.2": _container_with(privileged=True),
    "5.2.3": _pod_with(hostPID=True),
    "5.2.4": _pod_with(hostIPC=True),
    "5.2.5": _pod_with(hostNetwork=True),
    "5.2.6": _container_with(allowPrivilegeEscalation=True),
    "5.2.10": _pod_with(securityContext={"windowsOptions": {"hostProcess": True}}),
    "5.2.11": _pod_with(volumes=[{"name": "root", "hostPath": {"path": "/"}}]),
    "5.2.12": _port,
    "5.4.1": _variable,
    "5.6.1": only("pods", pod(namespace="default")),
    "5.6.2": _container_with(seccompProfile={"type": "Unconfined"}),
    "5.6.3": also("pods", pod()),
    "5.6.4": also("services", {"metadata": {"name": "own", "namespace": "default"}}),
}
"""What makes a point fail that holds where Crossmesh has made everything."""
NEVER_HOLDING = {"5.3.1"}
"""No cluster of Crossmesh's own, today."""

each_point = pytest.mark.parametrize("point", OF_CLUSTERS, ids=lambda point: point.number)


@each_point
def test_a_point_has_the_state_that_its_page_says_where_crossmesh_has_made_everything(
    point: Point[ClusterFacts],
) -> None:
    assert point.judge(MADE).state is point.default


@each_point
def test_a_point_holds_where_it_is_kept_to_and_not_where_it_is_not(point: Point[ClusterFacts]) -> None:
    unchanged: Change = lambda facts: facts  # noqa: E731
    good = point.judge(HOLDING.get(point.number, unchanged)(MADE))
    bad = point.judge(FAILING.get(point.number, unchanged)(MADE))
    expected = State.FAILS if point.number in NEVER_HOLDING else State.HOLDS
    assert (good.state, bad.state) == (expected, State.FAILS)
    assert good.there and bad.there


def test_every_case_is_of_a_point() -> None:
    assert {*HOLDING, *FAILING, *NEVER_HOLDING} <= {point.number for point in OF_CLUSTERS}


def verdict(number: str, facts: ClusterFacts) -> tuple[State, str]:
    (point,) = (point for point in OF_CLUSTERS if point.number == number)
    found = point.judge(facts)
    return found.state, found.there


@pytest.mark.parametrize(
    ("number", "problem"),
    [("5.1.2", "roles"), ("5.2.2", "pods"), ("5.3.2", "networkpolicies"), ("4.3.1", PROXY)],
)
def test_what_may_not_be_listed_is_not_known(number: str, problem: str) -> None:
    state, there = verdict(number, replace(MADE, problems={problem: "403: no right"}))
    assert (state, there) == (State.UNKNOWN, "403: no right")


@pytest.mark.parametrize("number", ["5.1.6", "5.2.2", "5.2.7", "5.6.1", "5.6.2"])
def test_without_pods_of_applications_there_is_nothing_that_could_break_it(number: str) -> None:
    facts = only("pods", pod(namespace="kube-system", hostNetwork=True), pod(phase="Succeeded"))(MADE)
    assert verdict(number, facts)[0] is State.NOT_APPLICABLE


def test_of_an_adopted_cluster_its_network_is_its_owner_s() -> None:
    assert verdict("5.3.1", replace(MADE, adopted=True))[0] is State.NOT_APPLICABLE
    assert verdict("4.3.1", replace(MADE, proxy=None))[0] is State.NOT_APPLICABLE


def test_a_right_on_objects_that_are_named_is_no_right_on_all() -> None:
    assert verdict("5.1.2", bound(rule("", "secrets", "get", resourceNames=["one"]))(MADE))[0] is State.HOLDS


def test_of_the_right_that_api_servers_have_to_kubelets_others_are_told() -> None:
    facts = also("clusterrolebindings", binding("theirs", "system:kubelet-api-admin", "people"))(MADE)
    assert verdict("5.1.10", facts) == (State.FAILS, "theirs binds system:kubelet-api-admin")


def test_a_role_that_nobody_has_gives_nothing() -> None:
    assert (
        verdict("5.1.2", also("clusterroles", role("own", rule("", "secrets", "get")))(MADE))[0]
        is State.HOLDS
    )


def test_a_wildcard_gives_what_it_is_a_wildcard_for() -> None:
    state, there = verdict("5.1.13", bound(rule("", "*", "*"))(MADE))
    assert state is State.FAILS
    assert there == "theirs binds own"


def test_a_role_of_the_platform_s_is_known_by_whatever_revision() -> None:
    facts = also("clusterroles", role("istiod-clusterrole-1-29-istio-system", rule("", "secrets", "get")))(
        MADE
    )
    to = binding("istiod-1-29", "istiod-clusterrole-1-29-istio-system", "istiod")
    assert verdict("5.1.2", also("clusterrolebindings", to)(facts))[0] is State.HOLDS


def test_the_groups_of_a_certificate_are_its_organizations() -> None:
    assert clusters.organizations(None) == clusters.organizations("none") == ()


def test_pods_that_do_the_same_are_told_together() -> None:
    _, there = verdict("5.2.8", MADE)
    assert there.startswith("init container istio-init adds NET_RAW (greencompute/asset-consumer-svc-1, ")
    assert there.count("istio-init") == 1
