"""What the picture shows: parts in what holds them, and links between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components.manifests import Manifest, named
from components.tokens import APPLICATION
from gate.effects.engine import topology
from report.model import Link, Op, Resource, Topology
from tests.unit.gate.effects.test_layers import REGION, balancer, phase, resource
from tests.unit.gate.rules.support import changes, component, creation, deletion, kubernetes, region, update

US = region("us")
EU = region("eu")


def application(manifest: Manifest) -> Resource:
    """An object of the application of its name, in `eu`."""
    holder = component(APPLICATION, "eu.web").urn
    return replace(kubernetes(manifest), parent=holder, declared=("applications", "web"))


WEB = application(named("v1", "Service", "web", "shop", spec={}))
GATEWAY = kubernetes(named("v1", "Service", "gateway", "edge", spec={"type": "LoadBalancer"}))


def route(holder: str, **parent: Any) -> Resource:
    spec = {
        "parentRefs": [{"name": "main", **parent}],
        "rules": [{"backendRefs": [{"name": "web", "namespace": "shop", "port": 80}]}],
    }
    return kubernetes(named("gateway.networking.k8s.io/v1", "HTTPRoute", "web", holder, spec=spec))


def links(found: Topology, kind: str) -> list[Link]:
    return [link for link in found.links if link.kind == kind]


def test_holders_come_before_what_they_hold() -> None:
    found = topology(changes(same=(EU, GATEWAY, WEB, phase("n1", "edge", {}, edge=True))))
    places = {part.id: index for index, part in enumerate(found.parts)}
    assert {
        "region:eu",
        "cluster:eu",
        "host:n1",
        "gateway:eu/Service/edge/gateway",
        "service:eu/shop/web",
    } == set(places)
    assert all(places[part.inside] < places[part.id] for part in found.parts if part.inside)


def test_a_route_from_another_namespace_leads_from_the_gateway_to_the_service() -> None:
    found = topology(changes(creation(route("elsewhere")), same=(EU, GATEWAY, WEB)))
    (link,) = links(found, "route")
    assert (link.source, link.target, link.op) == (
        "gateway:eu/Service/edge/gateway",
        "service:eu/shop/web",
        Op.CREATE,
    )


def test_a_route_inside_of_the_mesh_is_no_way_from_the_gateway() -> None:
    found = topology(changes(same=(EU, GATEWAY, WEB, route("shop", kind="Service"))))
    assert links(found, "route") == []


MAIN = kubernetes(
    named(
        "v1",
        "Service",
        "main",
        "istio-ingress",
        spec={"type": "LoadBalancer", "selector": {"app": "main", "istio": "ingressgateway"}},
    )
)
MAIN = replace(MAIN, declared=("mesh",))
OWN = kubernetes(
    named("v1", "Service", "a", "team", spec={"type": "LoadBalancer", "selector": {"istio": "team"}})
)
HANGING = {
    "an Ingress of the mesh's class, on the mesh's own gateway": (
        named(
            "networking.k8s.io/v1",
            "Ingress",
            "web",
            "shop",
            spec={"ingressClassName": "istio", "defaultBackend": {"service": {"name": "web"}}},
        ),
        [],
        "Service/istio-ingress/main",
    ),
    "a VirtualService, on the gateway whose pods are selected": (
        named(
            "networking.istio.io/v1",
            "VirtualService",
            "web",
            "shop",
            spec={
                "hosts": ["web.example.com"],
                "gateways": ["team/door"],
                "http": [{"route": [{"destination": {"host": "web.shop.svc.cluster.local"}}]}],
            },
        ),
        [
            named(
                "networking.istio.io/v1",
                "Gateway",
                "door",
                "team",
                spec={"selector": {"istio": "team"}, "servers": [{"hosts": ["*/web.example.com"]}]},
            )
        ],
        "Service/team/a",
    ),
    "a route of the Gateway API, on the service that its gateway names": (
        route("shop", namespace="team").inputs,
        [
            named(
                "gateway.networking.k8s.io/v1",
                "Gateway",
                "main",
                "team",
                spec={
                    "addresses": [{"type": "Hostname", "value": "a.team.svc.cluster.local"}],
                    "listeners": [{"allowedRoutes": {"namespaces": {"from": "All"}}}],
                },
            )
        ],
        "Service/team/a",
    ),
    "a route of the Gateway API, on its gateway where that gets a service of its own": (
        route("shop", namespace="team").inputs,
        [
            named(
                "gateway.networking.k8s.io/v1",
                "Gateway",
                "main",
                "team",
                spec={"listeners": [{"allowedRoutes": {"namespaces": {"from": "All"}}}]},
            )
        ],
        "Gateway/team/main",
    ),
}


@pytest.mark.parametrize("how", HANGING)
def test_of_two_gateways_a_route_leads_from_the_one_that_it_hangs_on(how: str) -> None:
    way, gateways, door = HANGING[how]
    found = topology(changes(same=(EU, MAIN, OWN, WEB, *map(kubernetes, [way, *gateways]))))
    assert [link.source for link in links(found, "route")] == [f"gateway:eu/{door}"]


def test_of_two_gateways_no_one_is_said_to_be_that_which_is_not_known() -> None:
    assert links(topology(changes(same=(EU, MAIN, OWN, WEB, route("shop")))), "route") == []


def test_a_gateway_at_addresses_of_nodes_is_a_way_in() -> None:
    at_nodes = named("v1", "Service", "gateway", "edge", spec={"externalIPs": ["192.0.2.151"]})
    found = topology(changes(same=(EU, kubernetes(at_nodes))))
    assert "gateway:eu/Service/edge/gateway" in {part.id for part in found.parts}


def test_gateways_of_one_name_in_two_namespaces_are_two() -> None:
    other = kubernetes(named("v1", "Service", "gateway", "elsewhere", spec={"type": "LoadBalancer"}))
    found = topology(changes(same=(EU, GATEWAY, other)))
    assert len([part for part in found.parts if part.kind == "gateway"]) == 2


def test_of_two_gateways_name_servers_answer_with_the_mesh_s_own() -> None:
    server, answers = phase("e1", "edge", {}, edge=True), balancer(targets={"eu": "10.0.0.200"})
    found = topology(changes(same=(REGION, OWN, MAIN, server, answers)))
    assert [link.target for link in links(found, "answer")] == ["gateway:eu/Service/istio-ingress/main"]


def test_every_name_server_answers_with_every_gateway() -> None:
    servers = [phase("e1", "edge", {}, edge=True)]
    before, after = balancer(targets={"eu": "10.0.0.200"}), balancer(targets={"eu": "10.0.0.201"})
    drawn = {
        op: links(topology(changes(change, same=(REGION, GATEWAY, *servers))), "answer")
        for op, change in (
            (Op.UPDATE, update(before, after)),
            (Op.SAME, update(before, before)),
            (Op.CREATE, creation(after)),
            (Op.DELETE, deletion(before)),
        )
    }
    for op, found in drawn.items():
        assert [(link.source, link.target, link.op) for link in found] == [
            ("host:e1", "gateway:eu/Service/edge/gateway", op)
        ]


def test_clusters_with_each_other_s_secrets_are_one_mesh() -> None:
    def secret(of: str) -> Manifest:
        return named(
            "v1",
            "Secret",
            f"istio-remote-secret-{of}",
            "istio-system",
            labels={"istio/multiCluster": "true"},
            annotations={"networking.istio.io/cluster": of},
        )

    one, other = kubernetes(secret("us"), "eu"), kubernetes(secret("eu"), "us")
    found = topology(changes(deletion(one), same=(EU, US, other)))
    assert links(found, "mesh") == [Link("cluster:eu", "cluster:us", "mesh", "", Op.UPDATE)]


def test_nothing_is_drawn_of_what_is_in_no_region() -> None:
    assert topology(changes(same=(resource("crossmesh:components:Trust", "trust", {}),))) == Topology()
