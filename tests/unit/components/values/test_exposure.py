"""What is exposed is read alike from every kind of route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from components.values import exposure
from components.values.exposure import (
    GATEWAY_API,
    INGRESS,
    ISTIO,
    Backend,
    Gateway,
    UnreadableError,
    answered,
    exposures,
    listeners,
)

WEB = ("shop", "web")
MAIN = [{"name": "main", "namespace": "edge"}]


def content(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": "x"}, "spec": spec}


def ingress(**more: Any) -> dict[str, Any]:
    path = {"path": "/x", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
    return content(rules=[{"host": "a.example.com", "http": {"paths": [path]}}], **more)


def route(**more: Any) -> dict[str, Any]:
    rule = {"backendRefs": [{"name": "web", "port": 80}]}
    return content(**{"parentRefs": MAIN, "hostnames": ["a.example.com"], "rules": [rule], **more})


def virtual_service(host: str, **more: Any) -> dict[str, Any]:
    http = [{"route": [{"destination": {"host": host, "port": {"number": 80}}}]}]
    return content(**{"hosts": ["a.example.com"], "gateways": ["edge/main"], "http": http, **more})


EVERY_KIND: list[tuple[str, str, dict[str, Any]]] = [
    (INGRESS, "Ingress", ingress()),
    (GATEWAY_API, "HTTPRoute", route()),
    (GATEWAY_API, "GRPCRoute", route()),
    (GATEWAY_API, "TLSRoute", route()),
    (ISTIO, "VirtualService", virtual_service("web")),
    (ISTIO, "VirtualService", virtual_service("web.shop.svc.cluster.local")),
]


@pytest.mark.parametrize(("group", "kind", "route"), EVERY_KIND)
def test_every_kind_of_route_says_host_and_service(group: str, kind: str, route: dict[str, Any]) -> None:
    (found,) = exposures(group, kind, route)
    assert (found.host, found.outside) == ("a.example.com", True)
    assert [(backend.service, backend.port) for backend in found.backends] == [(WEB, "80")]


def test_objects_of_the_same_kind_in_another_group_are_no_routes() -> None:
    assert list(exposures("appmesh.k8s.aws", "VirtualService", virtual_service("web"))) == []


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("web", WEB),
        ("web.other", ("other", "web")),
        ("web.other.svc", ("other", "web")),
        ("web.other.svc.cluster.local", ("other", "web")),
        ("api.example.com", None),
    ],
)
def test_istio_s_hosts_are_services_by_every_form_of_their_name(host: str, service: Any) -> None:
    (found,) = exposures(ISTIO, "VirtualService", virtual_service(host))
    assert found.backends == (Backend(service, "80", host),)


def test_a_backend_may_be_of_another_namespace() -> None:
    rules = [{"backendRefs": [{"name": "web", "namespace": "other", "port": 80}]}]
    (found,) = exposures(GATEWAY_API, "HTTPRoute", route(rules=rules))
    assert [backend.service for backend in found.backends] == [("other", "web")]


def test_backends_that_are_no_services_are_left_out() -> None:
    rules = [{"backendRefs": [{"name": "files", "group": "example.com", "kind": "Bucket"}]}]
    (found,) = exposures(GATEWAY_API, "HTTPRoute", route(rules=rules))
    assert found.backends == ()


@pytest.mark.parametrize(
    ("group", "kind", "route"),
    [
        (GATEWAY_API, "HTTPRoute", route(parentRefs=[{"kind": "Service", "name": "web"}])),
        (ISTIO, "VirtualService", virtual_service("web", gateways=["mesh"])),
        (ISTIO, "VirtualService", virtual_service("web", gateways=[])),
    ],
)
def test_what_is_for_requests_inside_of_the_mesh_is_not_outside(
    group: str, kind: str, route: dict[str, Any]
) -> None:
    (found,) = exposures(group, kind, route)
    assert not found.outside


def test_copies_are_told_apart_from_answers() -> None:
    copy = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "copy", "port": 80}}}
    rules = [{"filters": [copy], "backendRefs": [{"name": "web", "port": 80}]}]
    (found,) = exposures(GATEWAY_API, "HTTPRoute", route(rules=rules))
    assert [backend.service for backend in found.mirrors] == [("shop", "copy")]
    assert [backend.service for backend in found.backends] == [WEB]


def test_each_path_of_each_host_is_one() -> None:
    matches = [{"path": {"value": "/a"}}, {"path": {"value": "/b"}}, {"headers": []}]
    rules = [{"matches": matches, "backendRefs": [{"name": "web"}]}]
    found = exposures(GATEWAY_API, "HTTPRoute", route(hostnames=["a", "b"], rules=rules))
    assert {(entry.host, entry.path) for entry in found} == {
        (host, path) for host in "ab" for path in ("/a", "/b", "")
    }


def test_an_ingress_without_rules_sends_everything_to_its_default() -> None:
    default = {"service": {"name": "web", "port": {"name": "http"}}}
    (found,) = exposures(INGRESS, "Ingress", content(defaultBackend=default))
    assert (found.host, found.backends) == ("*", (Backend(WEB, "http"),))


def test_certificates_of_an_ingress_secure_its_hosts() -> None:
    (found,) = exposures(INGRESS, "Ingress", ingress(tls=[{"hosts": ["a.example.com"]}]))
    assert found.secured


@pytest.mark.parametrize("spec", ["[secret]", ["x"], 5])
def test_what_cannot_be_read_is_said_to_be_so(spec: Any) -> None:
    for group, kind in exposure.ROUTES:
        with pytest.raises(UnreadableError):
            list(exposures(group, kind, {"metadata": {"name": "x"}, "spec": spec}))


def hosts(kind: str, route: Mapping[str, Any], *listener: dict[str, Any]) -> list[str]:
    gateway = {"metadata": {"namespace": "edge", "name": "main"}, "spec": {"listeners": list(listener)}}
    known = dict([listeners(GATEWAY_API, "Gateway", gateway)])
    return [host for found in exposures(GATEWAY_API, kind, route) for _, host in answered(found, known)]


def listener(**more: Any) -> dict[str, Any]:
    return {
        "name": "https",
        "port": 443,
        "protocol": "HTTPS",
        "allowedRoutes": {"namespaces": {"from": "All"}},
        **more,
    }


@pytest.mark.parametrize(
    ("listener_", "route_", "expected"),
    [
        (listener(), route(), ["a.example.com"]),
        (listener(hostname="*.example.com"), route(), ["a.example.com"]),
        (listener(hostname="a.example.com"), route(hostnames=["*.example.com"]), ["a.example.com"]),
        (listener(hostname="a.example.com"), route(hostnames=[]), ["a.example.com"]),
        (listener(hostname="b.example.com"), route(), []),
        (listener(protocol="TLS"), route(), []),
        (listener(allowedRoutes={}), route(), []),
        (listener(), route(parentRefs=[{**MAIN[0], "sectionName": "other"}]), []),
        (listener(), route(parentRefs=[{**MAIN[0], "port": 80}]), []),
    ],
)
def test_a_host_is_answered_where_route_and_listener_meet(
    listener_: dict[str, Any], route_: dict[str, Any], expected: list[str]
) -> None:
    assert hosts("HTTPRoute", route_, listener_) == expected


def test_a_gateway_that_is_declared_elsewhere_takes_everything() -> None:
    (found,) = exposures(GATEWAY_API, "HTTPRoute", route())
    assert list(answered(found, {})) == [(Gateway(GATEWAY_API, "edge", "main"), "a.example.com")]


def test_a_route_without_hosts_is_told_by_its_gateway_and_port() -> None:
    tcp = route(parentRefs=[{**MAIN[0], "port": 5432}], hostnames=[])
    assert hosts("TCPRoute", tcp, listener(protocol="TCP", port=5432)) == ["TCP edge/main:5432"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("*", ["a.example.com"]),
        ("shop/a.example.com", ["a.example.com"]),
        ("*/*.example.com", ["a.example.com"]),
        ("./a.example.com", []),
        ("b.example.com", []),
    ],
)
def test_servers_of_istio_s_gateways_take_hosts_of_namespaces(written: str, expected: list[str]) -> None:
    servers = {"metadata": {"namespace": "edge", "name": "main"}, "spec": {"servers": [{"hosts": [written]}]}}
    known = dict([listeners(ISTIO, "Gateway", servers)])
    found = exposures(ISTIO, "VirtualService", virtual_service("web"))
    assert [host for entry in found for _, host in answered(entry, known)] == expected


def test_what_a_route_asks_beside_the_path_and_where_it_sends_clients_is_told() -> None:
    match = {
        "path": {"type": "Exact", "value": "/a"},
        "method": "GET",
        "headers": [{"name": "x-team", "value": "one"}],
        "queryParams": [{"name": "page", "value": "2"}],
    }
    away = {"hostname": "www.example.com", "path": {"replaceFullPath": "/b"}, "statusCode": 301}
    filters = [{"type": "RequestRedirect", "requestRedirect": away}]
    (found,) = exposures(GATEWAY_API, "HTTPRoute", route(rules=[{"matches": [match], "filters": filters}]))
    assert found.asked == "GET, Exact path, x-team: one, ?page=2"
    assert found.redirect == "a redirect (301) to www.example.com/b"


def test_rules_of_one_path_for_different_methods_are_told_apart() -> None:
    matches = [{"path": {"value": "/a"}, "method": method} for method in ("GET", "POST")]
    found = list(exposures(GATEWAY_API, "HTTPRoute", route(rules=[{"matches": matches}])))
    assert [(entry.path, entry.asked) for entry in found] == [("/a", "GET"), ("/a", "POST")]
    (plain,) = exposures(GATEWAY_API, "HTTPRoute", route())
    assert (plain.asked, plain.redirect) == ("", "")
