"""What the picture shows: parts in what holds them, and links between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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


def route(namespace: str, **parent: Any) -> Resource:
    spec = {
        "parentRefs": [{"name": "main", **parent}],
        "rules": [{"backendRefs": [{"name": "web", "namespace": "shop", "port": 80}]}],
    }
    return kubernetes(named("gateway.networking.k8s.io/v1", "HTTPRoute", "web", namespace, spec=spec))


def links(found: Topology, kind: str) -> list[Link]:
    return [link for link in found.links if link.kind == kind]


def test_holders_come_before_what_they_hold() -> None:
    found = topology(changes(same=(EU, GATEWAY, WEB, phase("n1", "edge", {}, edge=True))))
    places = {part.id: index for index, part in enumerate(found.parts)}
    assert {"region:eu", "cluster:eu", "host:n1", "gateway:eu/gateway", "service:eu/shop/web"} == set(places)
    assert all(places[part.inside] < places[part.id] for part in found.parts if part.inside)


def test_a_route_from_another_namespace_leads_from_the_gateway_to_the_service() -> None:
    found = topology(changes(creation(route("elsewhere")), same=(EU, GATEWAY, WEB)))
    (link,) = links(found, "route")
    assert (link.source, link.target, link.op) == ("gateway:eu/gateway", "service:eu/shop/web", Op.CREATE)


def test_a_route_inside_of_the_mesh_is_no_way_from_the_gateway() -> None:
    found = topology(changes(same=(EU, GATEWAY, WEB, route("shop", kind="Service"))))
    assert links(found, "route") == []


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
            ("host:e1", "gateway:eu/gateway", op)
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
