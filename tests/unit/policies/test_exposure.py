"""What is exposed asks who calls, there or at the gateway."""

from __future__ import annotations

from typing import Any

import pytest

from components.manifests import Manifest, named
from components.values.exposure import PUBLIC
from policies.exposure import POLICY
from tests.unit.policies.support import changed, violations, web
from tests.unit.policies.test_exposed import led_to_by_ingress, route

ANYBODY = {"from": [{"source": {"requestPrincipals": ["*"]}}]}
NOBODY = {"from": [{"source": {"notRequestPrincipals": ["*"]}}]}
WEB = {"matchLabels": {"app.kubernetes.io/name": "web"}}


def gateway() -> list[Manifest]:
    labels = {"istio": "ingressgateway"}
    return [
        named(
            "v1",
            "Service",
            "istio-ingressgateway",
            "istio-ingress",
            spec={"type": "LoadBalancer", "selector": labels},
        ),
        named(
            "apps/v1",
            "Deployment",
            "istio-ingressgateway",
            "istio-ingress",
            spec={"template": {"metadata": {"labels": labels}}},
        ),
    ]


def tokens(namespace: str, **spec: Any) -> Manifest:
    return named(
        "security.istio.io/v1",
        "RequestAuthentication",
        "tokens",
        namespace,
        spec={"jwtRules": [{"issuer": "https://login.example.com"}], **spec},
    )


def policy(namespace: str, *rules: dict[str, Any], action: str | None = None, **spec: Any) -> Manifest:
    found = {"rules": list(rules), **({"action": action} if action else {}), **spec}
    return named("security.istio.io/v1", "AuthorizationPolicy", "callers", namespace, spec=found)


def said(*manifests: Manifest) -> list[str]:
    return violations(POLICY, *gateway(), *web(), led_to_by_ingress(), *manifests)


def test_an_ingress_to_what_asks_nobody_is_open() -> None:
    (words,) = said()
    assert words.startswith("eu.shop.shop: Ingress shop/shop leads to web")


@pytest.mark.parametrize(
    "found",
    [
        [tokens("shop"), policy("shop", ANYBODY)],
        [tokens("shop"), policy("shop", NOBODY, action="DENY")],
        [tokens("shop", selector=WEB), policy("shop", ANYBODY, selector=WEB)],
        [tokens("istio-ingress"), policy("istio-ingress", NOBODY, action="DENY")],
        [tokens("istio-system"), policy("istio-system", NOBODY, action="DENY")],
        [tokens("istio-system"), policy("istio-ingress", ANYBODY)],
        [policy("istio-ingress", {}, action="CUSTOM", provider={"name": "login"})],
        [
            tokens("shop", targetRefs=[{"kind": "Service", "name": "web"}]),
            policy("shop", ANYBODY, targetRefs=[{"kind": "Service", "name": "web"}]),
        ],
    ],
)
def test_who_asks_for_a_token_or_another_authority_is_not_open(found: list[Manifest]) -> None:
    assert said(*found) == []


@pytest.mark.parametrize(
    "found",
    [
        [tokens("shop")],
        [policy("shop", ANYBODY)],
        [tokens("shop", jwtRules=[]), policy("shop", ANYBODY)],
        [tokens("shop"), policy("shop", ANYBODY, {})],
        [tokens("shop"), policy("shop", {"from": [{"source": {"namespaces": ["istio-ingress"]}}]})],
        [
            tokens("shop"),
            policy("shop", {**NOBODY, "to": [{"operation": {"paths": ["/admin"]}}]}, action="DENY"),
        ],
        [tokens("shop"), policy("shop", ANYBODY, selector={"matchLabels": {"app": "other"}})],
        [tokens("elsewhere"), policy("elsewhere", ANYBODY)],
        [policy("istio-ingress", {"to": [{"operation": {"paths": ["/admin"]}}]}, action="CUSTOM")],
        [
            tokens("shop", targetRefs=[{"kind": "Service", "name": "api"}]),
            policy("shop", ANYBODY, targetRefs=[{"kind": "Service", "name": "api"}]),
        ],
    ],
)
def test_who_lets_somebody_pass_without_is_open(found: list[Manifest]) -> None:
    assert len(said(*found)) == 1


def test_the_gateway_api_has_gateways_of_its_own() -> None:
    at_the_gateway = [tokens("istio-ingress"), policy("istio-ingress", NOBODY, action="DENY")]
    assert len(violations(POLICY, *gateway(), *web(), route("Gateway"), *at_the_gateway)) == 1


def test_one_open_service_of_several_is_named_alone() -> None:
    two = led_to_by_ingress()
    paths = two["spec"]["rules"][0]["http"]["paths"]
    other = changed(paths[0], "api", "backend", "service", "name")
    both = changed(two, [*paths, other], "spec", "rules", 0, "http", "paths")
    asked = [tokens("shop", selector=WEB), policy("shop", ANYBODY, selector=WEB)]
    (words,) = violations(POLICY, *gateway(), *web(), both, *asked)
    assert "leads to api, and" in words


def test_an_ingress_that_says_why_everybody_may_call_it_is_meant_to_be_open() -> None:
    ingress = led_to_by_ingress()
    ingress["metadata"]["annotations"] = {PUBLIC: "It asks for a login itself."}
    assert violations(POLICY, *gateway(), *web(), ingress) == []
    ingress["metadata"]["annotations"] = {PUBLIC: ""}
    assert len(violations(POLICY, *gateway(), *web(), ingress)) == 1
