"""Services are reached through the gateways."""

from __future__ import annotations

import pytest

from components.manifests import named
from policies.service_types import POLICY
from tests.unit.policies.support import changed, violations, web


@pytest.mark.parametrize(("kind", "count"), [("ClusterIP", 0), ("NodePort", 1), ("LoadBalancer", 1)])
def test_only_a_gateway_is_reached_from_outside(kind: str, count: int) -> None:
    assert len(violations(POLICY, changed(web()[1], kind, "spec", "type"))) == count


def test_external_addresses_are_another_way_in() -> None:
    service = web()[1]
    assert len(violations(POLICY, changed(service, ["192.0.2.1"], "spec", "externalIPs"))) == 1
    assert violations(POLICY, changed(service, [], "spec", "externalIPs")) == []


@pytest.mark.parametrize(("namespace", "count"), [("istio-ingress", 0), ("shop", 1)])
def test_the_declared_gateway_is_one_by_namespace_and_name(namespace: str, count: int) -> None:
    gateway = named("v1", "Service", "istio-ingressgateway", namespace, spec={"type": "LoadBalancer"})
    assert len(violations(POLICY, gateway)) == count
