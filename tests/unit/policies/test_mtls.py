"""Mutual TLS stays on."""

from __future__ import annotations

from typing import Any

import pytest

from components.manifests import Manifest, mesh, named
from policies.mtls import EVERY_MESH_IS_STRICT, NOTHING_WEAKENS
from tests.unit.policies.support import EU, US, changed, violations


@pytest.mark.parametrize(("mode", "count"), [("STRICT", 0), ("UNSET", 0), ("PERMISSIVE", 1), ("DISABLE", 1)])
def test_no_namespace_accepts_plain_text(mode: str, count: int) -> None:
    assert len(violations(NOTHING_WEAKENS, mesh.peer_authentication("shop", mode))) == count


@pytest.mark.parametrize(("mode", "count"), [("STRICT", 0), ("DISABLE", 1)])
def test_no_port_accepts_plain_text(mode: str, count: int) -> None:
    policy = changed(
        mesh.peer_authentication("shop", "STRICT"), {"8080": {"mode": mode}}, "spec", "portLevelMtls"
    )
    assert len(violations(NOTHING_WEAKENS, policy)) == count


def rule(host: str, traffic: dict[str, Any], **more: Any) -> Manifest:
    return named(
        "networking.istio.io/v1",
        "DestinationRule",
        "r",
        "shop",
        spec={"host": host, "trafficPolicy": traffic, **more},
    )


@pytest.mark.parametrize(
    ("found", "count"),
    [
        (mesh.locality_failover("shop"), 0),
        (rule("web.shop.svc.cluster.local", {"tls": {"mode": "ISTIO_MUTUAL"}}), 0),
        (rule("web.shop.svc.cluster.local", {"tls": {"mode": "DISABLE"}}), 1),
        (rule("web", {"tls": {"mode": "DISABLE"}}), 1),
        (rule("legacy.example.com", {"tls": {"mode": "DISABLE"}}), 0),
        (
            rule("web", {"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "DISABLE"}}]}),
            1,
        ),
        (rule("web", {}, subsets=[{"name": "v1", "trafficPolicy": {"tls": {"mode": "DISABLE"}}}]), 1),
        (rule("web", {}, subsets=[{"name": "v1", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}]), 0),
    ],
)
def test_nothing_sends_plain_text_to_the_mesh(found: Manifest, count: int) -> None:
    assert len(violations(NOTHING_WEAKENS, found)) == count


def istiod() -> Manifest:
    return named("apps/v1", "Deployment", "istiod", "istio-system", labels={"app": "istiod"}, spec={})


def test_a_mesh_without_a_strict_rule_for_all_is_found() -> None:
    strict = mesh.peer_authentication("istio-system", "STRICT")
    assert violations(EVERY_MESH_IS_STRICT, istiod(), strict) == []
    for instead in (
        mesh.peer_authentication("istio-system", "PERMISSIVE"),
        mesh.peer_authentication("shop", "STRICT"),
        changed(strict, {"app": "web"}, "spec", "selector", "matchLabels"),
    ):
        (said,) = violations(EVERY_MESH_IS_STRICT, istiod(), instead)
        assert said.startswith("eu.istio-system.istiod: ")


def test_every_cluster_needs_its_own() -> None:
    said = violations(EVERY_MESH_IS_STRICT, istiod(), clusters=(EU, US))
    assert [words.partition(":")[0] for words in said] == ["eu.istio-system.istiod", "us.istio-system.istiod"]


def test_a_cluster_without_a_mesh_needs_none() -> None:
    assert violations(EVERY_MESH_IS_STRICT, named("apps/v1", "Deployment", "web", "shop", spec={})) == []
