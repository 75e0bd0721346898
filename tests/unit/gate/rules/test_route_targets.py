"""Routes that lead to nothing are found before they answer with 503."""

from __future__ import annotations

from typing import Any

import pytest

from components.manifests import Manifest, named
from gate.rules.change.route_targets import CHECK
from report.model import UNKNOWN, Severity
from tests.unit.gate.rules.support import against, changes, creation, kubernetes

SERVICE = named("v1", "Service", "web", "shop", spec={"ports": [{"name": "http", "port": 80}]})


def virtual_service(host: str, port: int | None = None, key: str = "destination") -> Manifest:
    """One that sends everything to a host."""
    at: dict[str, Any] = {"host": host, **({"port": {"number": port}} if port else {})}
    route = {"route": [{"destination": at}]} if key == "destination" else {key: at}
    spec = {"hosts": ["shop.example.com"], "http": [route]}
    return named("networking.istio.io/v1", "VirtualService", "shop", "shop", spec=spec)


def ingress(name: str, port: dict[str, Any]) -> Manifest:
    """One with one path."""
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": name, "port": port}}}
    return named(
        "networking.k8s.io/v1", "Ingress", "shop", "shop", spec={"rules": [{"http": {"paths": [path]}}]}
    )


def http_route(**ref: Any) -> Manifest:
    """One with one backend."""
    spec = {"rules": [{"backendRefs": [ref]}]}
    return named("gateway.networking.k8s.io/v1", "HTTPRoute", "shop", "other", spec=spec)


def words(*manifests: Manifest, service_in: str = "eu") -> list[str]:
    """What the rule says of these beside the service."""
    objects = [kubernetes(SERVICE, service_in), *(kubernetes(manifest) for manifest in manifests)]
    return [found.message for found in against(CHECK, changes(same=objects))]


@pytest.mark.parametrize(
    "manifest",
    [
        virtual_service("web"),
        virtual_service("web.shop"),
        virtual_service("web.shop.svc.cluster.local", 80),
        virtual_service("web", 80, key="mirror"),
        virtual_service(UNKNOWN),
        ingress("web", {"number": 80}),
        ingress("web", {"name": "http"}),
        http_route(name="web", namespace="shop", port=80),
        http_route(name="bucket", group="example.com", kind="Bucket"),
    ],
)
def test_a_route_to_what_there_is_passes(manifest: Manifest) -> None:
    assert words(manifest) == []


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (virtual_service("wep"), "there is no service shop/wep"),
        (virtual_service("wep", key="mirror"), "there is no service shop/wep"),
        (virtual_service("web.shopp.svc.cluster.local"), "there is no service shopp/web"),
        (virtual_service("api.example.com"), "there is no service entry of api.example.com"),
        (virtual_service("web", 8080), "service shop/web has no port 8080 (it has 80, http)"),
        (ingress("wep", {"number": 80}), "there is no service shop/wep"),
        (ingress("web", {"name": "grpc"}), "service shop/web has no port grpc (it has 80, http)"),
        (http_route(name="web", port=80), "there is no service other/web"),
    ],
)
def test_a_route_to_nowhere_is_told(manifest: Manifest, expected: str) -> None:
    assert words(manifest) == [expected]


@pytest.mark.parametrize("hosts", [["api.example.com"], ["*.example.com"]])
def test_service_entries_are_hosts_as_well(hosts: list[str]) -> None:
    entry = named("networking.istio.io/v1", "ServiceEntry", "api", "shop", spec={"hosts": hosts})
    assert words(virtual_service("api.example.com"), entry) == []


def test_the_mesh_knows_services_of_other_clusters_and_an_ingress_does_not() -> None:
    assert words(virtual_service("web"), service_in="us") == []
    assert words(ingress("web", {"number": 80}), service_in="us") == ["there is no service shop/web"]


def test_one_name_that_is_not_there_is_told_once() -> None:
    twice = virtual_service("wep")
    twice["spec"]["http"] *= 2
    assert len(words(twice)) == 1


def of_others(name: str) -> Manifest:
    """A route to a service that it says others manage."""
    spec = {"rules": [{"backendRefs": [{"name": name, "port": 80}]}]}
    said = {"crossmesh/elsewhere": "legacy"}
    return named("gateway.networking.k8s.io/v1", "HTTPRoute", "shop", "shop", annotations=said, spec=spec)


def test_a_service_of_others_is_a_warning_in_the_change_that_leads_to_it() -> None:
    (finding,) = against(CHECK, changes(creation(kubernetes(of_others("legacy")))))
    assert finding.severity is Severity.WARNING
    assert finding.message == "there is no service shop/legacy in this change: others are to bring it"
    assert "see that it is there before `up`" in (finding.fix or "")


def test_a_service_of_others_is_not_spoken_of_again() -> None:
    assert words(of_others("legacy")) == []


def test_what_a_route_does_not_say_of_others_fails_all_the_same() -> None:
    assert words(of_others("other")) == ["there is no service shop/other"]
