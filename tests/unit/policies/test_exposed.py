"""Two replicas and a budget for what is exposed; nothing is asked of what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.manifests import Manifest, exposure, named
from components.manifests.mesh import said_to_be_alone
from components.values.exposure import ALONE
from policies import budgets, replicas
from report.model import UNKNOWN
from stacks.model import ApplicationSpec, IngressPath, IngressSpec
from tests.unit.policies.support import EU, NOT_KNOWN, US, changed, violations, web


def led_to_by_ingress() -> Manifest:
    spec = IngressSpec(
        namespace="shop", host="shop.example.com", paths=(IngressPath(path="/", application="web"),)
    )
    return exposure.ingress("shop", spec, {"web": ApplicationSpec(namespace="shop", image="web:1")})


def route(parent: str) -> Manifest:
    return named(
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        "web",
        "shop",
        spec={
            "parentRefs": [{"kind": parent, "name": "main"}],
            "rules": [{"backendRefs": [{"name": "web", "port": 8080}]}],
        },
    )


def virtual_service(*gateways: str, host: str = "web") -> Manifest:
    http = [{"route": [{"destination": {"host": host}}]}]
    spec = {"hosts": ["shop.example.com"], "gateways": list(gateways), "http": http}
    return named("networking.istio.io/v1", "VirtualService", "web", "shop", spec=spec)


EXPOSED: list[Callable[[], Manifest]] = [
    led_to_by_ingress,
    lambda: named(
        "networking.k8s.io/v1",
        "Ingress",
        "all",
        "shop",
        spec={"defaultBackend": {"service": {"name": "web"}}},
    ),
    lambda: route("Gateway"),
    lambda: virtual_service("istio-ingress/main"),
    lambda: virtual_service("mesh", "main", host="web.shop.svc.cluster.local"),
    lambda: named(
        "v1",
        "Service",
        "outside",
        "shop",
        spec={"type": "LoadBalancer", "selector": {"app.kubernetes.io/name": "web"}},
    ),
    lambda: named(
        "v1",
        "Service",
        "outside",
        "shop",
        spec={"externalIPs": ["192.0.2.151"], "selector": {"app.kubernetes.io/name": "web"}},
    ),
]
NOT_EXPOSED: list[Callable[[], Manifest]] = [
    lambda: route("Service"),
    lambda: virtual_service("mesh"),
    lambda: virtual_service("main", host="web.other.svc.cluster.local"),
    lambda: virtual_service("main", host="web.shop.example.com"),
    lambda: changed(led_to_by_ingress(), "other", "metadata", "namespace"),
]


@pytest.mark.parametrize("exposure", EXPOSED)
def test_one_replica_of_what_is_exposed_is_too_few(exposure: Callable[[], Manifest]) -> None:
    (said,) = violations(replicas.POLICY, *web(1), exposure())
    assert said.startswith("eu.shop.web: Deployment shop/web has 1 replica in this cluster")
    assert violations(replicas.POLICY, *web(2), exposure()) == []


@pytest.mark.parametrize("exposure", NOT_EXPOSED)
def test_what_is_not_exposed_may_have_one(exposure: Callable[[], Manifest]) -> None:
    assert violations(replicas.POLICY, *web(1), exposure()) == []


def test_the_gateway_of_a_cluster_of_one_worker_may_have_one_since_nothing_else_can_be_declared() -> None:
    for count in (1, 2):
        gateway = said_to_be_alone(web(count)[2])
        assert violations(replicas.POLICY, web()[1], gateway, led_to_by_ingress()) == []
    assert [said_to_be_alone(manifest) for manifest in web(2)] == web(2)
    one = changed(web(1)[2], {ALONE: ""}, "metadata", "annotations")
    assert len(violations(replicas.POLICY, web()[1], one, led_to_by_ingress())) == 1


def test_the_replicas_of_other_clusters_do_not_count() -> None:
    said = violations(replicas.POLICY, *web(1), led_to_by_ingress(), clusters=(EU, US))
    assert [words.partition(":")[0] for words in said] == ["eu.shop.web", "us.shop.web"]


def test_kubernetes_default_is_one() -> None:
    account, service, deployment = web(1)
    assert (
        len(
            violations(
                replicas.POLICY, service, changed(deployment, None, "spec", "replicas"), led_to_by_ingress()
            )
        )
        == 1
    )
    assert account["kind"] == "ServiceAccount"


@pytest.mark.parametrize(("least", "count"), [(2, 0), (1, 1), (None, 1)])
def test_of_what_is_scaled_the_least_counts(least: int | None, count: int) -> None:
    spec: dict[str, Any] = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 5}
    if least is not None:
        spec["minReplicas"] = least
    scaler = named("autoscaling/v2", "HorizontalPodAutoscaler", "web", "shop", spec=spec)
    assert len(violations(replicas.POLICY, *web(2), led_to_by_ingress(), scaler)) == count


def test_one_pod_on_each_node_is_enough() -> None:
    _, service, deployment = web(1)
    everywhere = changed(deployment, "DaemonSet", "kind")
    assert violations(replicas.POLICY, service, everywhere, led_to_by_ingress()) == []


def test_without_a_budget_a_drain_may_take_all() -> None:
    account, service, deployment, budget = web(2)
    assert violations(budgets.POLICY, account, service, deployment, budget, led_to_by_ingress()) == []
    (said,) = violations(budgets.POLICY, account, service, deployment, led_to_by_ingress())
    assert "no PodDisruptionBudget" in said


def test_a_budget_for_other_pods_is_none() -> None:
    _, service, deployment, budget = web(2)
    for other in (
        changed(budget, {"app.kubernetes.io/name": "other"}, "spec", "selector", "matchLabels"),
        changed(budget, "elsewhere", "metadata", "namespace"),
    ):
        assert len(violations(budgets.POLICY, service, deployment, other, led_to_by_ingress())) == 1


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ({"operator": "In", "values": ["web", "api"]}, 0),
        ({"operator": "In", "values": ["api"]}, 1),
        ({"operator": "NotIn", "values": ["api"]}, 0),
        ({"operator": "NotIn", "values": ["web"]}, 1),
        ({"operator": "Exists"}, 0),
        ({"operator": "DoesNotExist"}, 1),
    ],
)
def test_budgets_select_by_expressions_as_well(expression: dict[str, Any], count: int) -> None:
    _, service, deployment, budget = web(2)
    selector = {"matchExpressions": [{"key": "app.kubernetes.io/name", **expression}]}
    changed_budget = changed(budget, selector, "spec", "selector")
    assert len(violations(budgets.POLICY, service, deployment, changed_budget, led_to_by_ingress())) == count


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({"maxUnavailable": 1}, 0),
        ({"maxUnavailable": 0}, 1),
        ({"maxUnavailable": "0%"}, 1),
        ({"maxUnavailable": "50%"}, 0),
        ({"minAvailable": 1}, 0),
        ({"minAvailable": 2}, 1),
        ({"minAvailable": "100%"}, 1),
        ({"minAvailable": "50%"}, 0),
    ],
)
def test_a_budget_lets_a_pod_go(spec: dict[str, Any], count: int) -> None:
    _, service, deployment, budget = web(2)
    made = changed(budget, {"selector": budget["spec"]["selector"], **spec}, "spec")
    said = violations(budgets.POLICY, service, deployment, made, led_to_by_ingress())
    assert len(said) == count
    assert all("never lets a pod" in words for words in said)


def test_one_replica_needs_no_budget() -> None:
    assert violations(budgets.POLICY, *web(1), led_to_by_ingress()) == []


def test_one_that_is_not_known_does_not_hide_the_others() -> None:
    unknown = changed(changed(web(1)[2], "api", "metadata", "name"), UNKNOWN, "spec", "template")
    said = violations(replicas.POLICY, *web(1), unknown, led_to_by_ingress())
    assert len(said) == 2
    assert said[1] == NOT_KNOWN


def test_objects_without_outputs_are_not_passed_over() -> None:
    """What the engine shows of a cluster that does not exist yet."""
    empty = {**led_to_by_ingress()}

    class Empty(dict[str, Any]):
        def __deepcopy__(self, memo: Any) -> dict[str, Any]:
            return {}

    assert violations(replicas.POLICY, Empty(empty)) == [NOT_KNOWN]
