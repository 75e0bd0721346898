"""Routes: the objects that they become, and what they wait for."""

from __future__ import annotations

import os
from typing import Any

import pytest
import yaml

from components import tokens
from components.manifests import exposure
from stacks.model import Environment
from tests.unit.components import support
from tests.unit.components.declared import built, changed, declaration, stack_of

GOLDEN = support.ROOT / "tests" / "golden" / "components" / "routes.yaml"
API = "kubernetes:gateway.networking.k8s.io/v1:"


def objects(environment: Environment, name: str) -> list[Any]:
    """The objects of a route in each region, but for certificates."""
    spec = environment.routes[name]
    hosts = [exposed for exposed in environment.exposed if exposed.owner == ("routes", name)]
    return [
        exposure.gateway(name, spec, hosts),
        exposure.http_route(name, spec, environment.applications),
    ]


def test_a_route_becomes_the_recorded_objects() -> None:
    declared = changed(declaration(), "routes.api.hosts", ["api.example.test", "*.api.example.test"])
    declared = changed(declared, "routes.api.public", "It asks for a login itself.")
    declared = changed(declared, "routes.api.rules.3.pathType", "Exact")
    text = yaml.safe_dump_all(
        objects(Environment.model_validate(declared), "api"), sort_keys=False, width=110
    )
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "it differs; if that is meant, record it with UPDATE_GOLDEN=1"


def test_each_method_is_a_match_of_its_own() -> None:
    declared = changed(declaration(), "routes.api.rules.0.methods", ["GET", "HEAD"])
    _, route = objects(Environment.model_validate(declared), "api")
    first = route["spec"]["rules"][0]["matches"]
    assert [match["method"] for match in first] == ["GET", "HEAD"]
    assert first[0]["headers"] == first[1]["headers"]


def test_a_wildcard_and_a_host_have_secrets_of_different_names() -> None:
    declared = changed(declaration(), "routes.api.hosts", ["below.example.test", "*.example.test"])
    hosts = [each for each in Environment.model_validate(declared).exposed if each.owner[0] == "routes"]
    assert [exposure.secret_name(each) for each in hosts] == [
        "tls.below.example.test",
        "tls-below.example.test",
    ]


@pytest.fixture(scope="module")
def platform(small_charts: None) -> dict[str, Any]:
    """All that is built of the declaration."""
    return built(stack_of(declaration()))


def _named(platform: dict[str, Any], kind: str) -> dict[str, Any]:
    return {each.region: each for each in platform.values() if each.type == f"{API}{kind}"}


def test_every_region_has_the_route_and_made_clusters_alone_the_definitions(platform: dict[str, Any]) -> None:
    assert _named(platform, "HTTPRoute").keys() == {"eu", "hosted", "cloud"}
    brought = {each.region for each in platform.values() if each.type == tokens.GATEWAY_DEFINITIONS}
    assert brought == {"eu", "hosted"}


def test_a_route_waits_for_definitions_certificates_gateway_and_applications(
    platform: dict[str, Any],
) -> None:
    route, gateway = _named(platform, "HTTPRoute")["eu"], _named(platform, "Gateway")["eu"]
    assert gateway.urn in route.depends_on
    waits = " ".join(gateway.depends_on)
    assert "httproutes.gateway.networking.k8s.io" in waits
    assert "tls.api.example.test" in waits
    assert "istio-ingressgateway" in waits
    assert "eu.shop.front" in " ".join(route.depends_on)


def test_nothing_of_it_is_there_unless_it_is_declared(up: Any) -> None:
    types = {each.type for each in up.resources.values()}
    assert not types & {tokens.ROUTE, tokens.GATEWAY_DEFINITIONS, f"{API}Gateway", f"{API}HTTPRoute"}


def test_others_may_bring_the_definitions(small_charts: None) -> None:
    platform = built(stack_of(changed(declaration(), "gatewayApi", "owner")))
    assert _named(platform, "HTTPRoute").keys() == {"eu", "hosted", "cloud"}
    assert not [each for each in platform.values() if each.type == tokens.GATEWAY_DEFINITIONS]
