"""What the doctor says of routes: in istiod's words, and by requests to real gateways on loopback."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from live.checks import exposure, routes
from live.doctor import keys
from live.doctor.platform import Platform
from report.model import Status
from stacks.model import Environment, RouteSpec
from tests.unit.live.checks.support import platform_of
from tests.unit.operations.support import HOST, run

SPEC = RouteSpec.model_validate(
    {
        "namespace": "greencompute",
        "hosts": [HOST],
        "rules": [
            {"path": "/assetmgrms", "backends": [{"service": "legacy", "port": 80}]},
            {"path": "/post", "methods": ["POST"], "backends": [{"service": "legacy", "port": 80}]},
            {"path": "/old", "redirect": {"path": "/assetmgrms"}},
        ],
    }
)


def routed(platform: Platform) -> Platform:
    """The platform with its host in a route in place of the ingress."""
    update = {"ingresses": {}, "routes": {"api": SPEC}}
    environment: Environment = platform.stack.environment.model_copy(update=update)
    return replace(platform, stack=replace(platform.stack, environment=environment))


def conditions(generation: int = 1, **said: str) -> list[dict[str, Any]]:
    """Conditions by type: empty for one that holds, else its reason."""
    return [
        {
            "type": kind,
            "status": "False" if reason else "True",
            "reason": reason,
            "message": "its words",
            "observedGeneration": generation,
        }
        for kind, reason in said.items()
    ]


def objects(**changes: Any) -> dict[str, Any]:
    """Gateway and route as a cluster has them, all well. changes: of conditions, or the generation."""
    holds = {"gateway": {"Accepted": "", "Programmed": ""}, "route": {"Accepted": "", "ResolvedRefs": ""}}
    listener = {"name": "tls", "conditions": conditions(Accepted="", ResolvedRefs="", Programmed="")}
    of_gateway = conditions(**{**holds["gateway"], **changes.get("gateway", {})})
    of_route = conditions(**{**holds["route"], **changes.get("route", {})})
    metadata = {"generation": changes.get("generation", 1)}
    return {
        "gateways": {"metadata": metadata, "status": {"conditions": of_gateway, "listeners": [listener]}},
        "httproutes": {
            "metadata": metadata,
            "status": {"parents": [{"conditions": of_route}] if changes.get("parents", True) else []},
        },
    }


def said(found: dict[str, Any]) -> Any:
    """What the check says where a cluster has these objects."""
    platform = routed(platform_of([], {}))
    cluster = SimpleNamespace(get=lambda path: found.get(path.split("/")[-2]))
    platform = replace(platform, clusters={**platform.clusters, "eu": cluster})
    return run(routes.check_taken, platform, "eu", "api", SPEC)


def test_a_route_that_is_taken_is_well() -> None:
    assert said(objects()).status is Status.PASS


@pytest.mark.parametrize(
    ("found", "words", "fix"),
    [
        ({}, "there is no HTTPRoute greencompute/api", "definitions of the Gateway API"),
        (
            objects(gateway={"Programmed": "Pending"}),
            "the gateway: not Programmed: Pending: its words",
            "log",
        ),
        (
            objects(route={"ResolvedRefs": "BackendNotFound"}),
            "the route: not ResolvedRefs: BackendNotFound",
            "namespace greencompute has the Services that others are to bring: legacy",
        ),
        (objects(generation=2), "istiod has not read its last change", "Wait a moment"),
        (objects(parents=False), "no gateway has said anything of it yet", "istiod"),
    ],
)
def test_what_istiod_does_not_take_is_told_in_its_words(found: dict[str, Any], words: str, fix: str) -> None:
    finding = said(found)
    assert finding.status is Status.FAIL
    assert words in finding.message
    assert fix in (finding.fix or "")


def test_a_listener_without_its_certificate_is_told() -> None:
    found = objects()
    found["gateways"]["status"]["listeners"][0]["conditions"] = conditions(
        Accepted="", ResolvedRefs="InvalidCertificateRef", Programmed=""
    )
    assert "listener tls: not ResolvedRefs: InvalidCertificateRef" in said(found).message


def test_rules_for_plain_requests_have_a_check_each_and_stand_on_the_route() -> None:
    platform = routed(platform_of([], {}))
    found = {check.id: check for check in exposure.checks(platform)}
    answered = found[keys.https(HOST, "/assetmgrms")]
    assert answered.title == f"https://{HOST}/assetmgrms is answered by legacy"
    assert keys.route("eu", "api") in answered.rests_on
    assert keys.https(HOST, "/old") in found
    assert keys.https(HOST, "/post") not in found
    assert {keys.route("eu", "api"), keys.route("us", "api")} <= found.keys()
    assert keys.certificate("eu", HOST) in found
    assert found[keys.route("eu", "api")].declared == ("routes", "api")
