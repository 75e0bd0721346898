"""How much single changes can hurt, where that is not said by their kind alone."""

from __future__ import annotations

from typing import Any

import pytest

from gate.effects.blast import assess
from report.model import Against, Change, ChangeSet, Op, PropertyChange, Resource, Risk

PLATFORM = "urn:pulumi:lab::crossmesh::crossmesh:components:Platform"
REGION = Resource(
    f"{PLATFORM}$crossmesh:components:Region::eu", "crossmesh:components:Region", "eu", {}, region="eu"
)
CLUSTER = f"{PLATFORM}$crossmesh:components:Region$crossmesh:components:BareMetalCluster::eu"


def phase(**inputs: Any) -> Resource:
    urn = f"{CLUSTER.rpartition('::')[0]}$crossmesh:hosts:HostPhase::eu-worker-1.join"
    given = {
        "host": "eu-worker-1",
        "phase": "join",
        "connection": {"address": "192.0.2.11", "port": 22},
        "reset_on_delete": True,
        "variables": {"join_node_name": "eu-worker-1"},
    }
    return Resource(
        urn,
        "crossmesh:hosts:HostPhase",
        "eu-worker-1.join",
        {**given, **inputs},
        parent=CLUSTER,
        region="eu",
        declared=("regions", "eu", "cluster", "nodes", "eu-worker-1"),
    )


def service(annotations: dict[str, str], type: str = "LoadBalancer") -> Resource:
    urn = f"{PLATFORM}$kubernetes:core/v1:Service::eu-gateway"
    metadata = {"name": "gateway", "annotations": annotations}
    inputs = {"metadata": metadata, "spec": {"type": type}}
    return Resource(urn, "kubernetes:core/v1:Service", "eu-gateway", inputs)


def risk(old: Resource, new: Resource, *paths: str) -> Risk:
    properties = tuple(PropertyChange(path, "old", "new") for path in paths)
    change = Change(Op.UPDATE, old.urn, old, new, properties)
    (found,) = assess(ChangeSet(Against.STATE, (change,), (REGION,))).changes
    return found.risk


def test_another_way_to_a_host_does_nothing_to_it() -> None:
    moved = phase(connection={"address": "192.0.2.11", "port": 2222})
    assert risk(phase(), moved, "connection") is Risk.ORDINARY


def test_other_variables_may_be_noticed() -> None:
    changed = phase(connection={"address": "192.0.2.11", "port": 2222}, variables={})
    assert risk(phase(), changed, "connection", "variables.join_node_name") is Risk.TRAFFIC


def test_another_machine_under_the_same_name_is_destructive() -> None:
    assert (
        risk(phase(), phase(connection={"address": "192.0.2.99", "port": 22}), "connection")
        is Risk.DESTRUCTIVE
    )


def test_a_service_that_asks_for_another_address_is_destructive() -> None:
    old, new = ({"metallb.io/loadBalancerIPs": f"192.0.2.{last}"} for last in (200, 210))
    path = 'metadata.annotations["metallb.io/loadBalancerIPs"]'
    assert risk(service(old), service(new), path) is Risk.DESTRUCTIVE
    assert risk(service(old), service({}), path) is Risk.DESTRUCTIVE


def test_a_service_that_loses_its_address_in_another_way_is_destructive_as_well() -> None:
    old = service({"metallb.io/loadBalancerIPs": "192.0.2.200"})
    inside = service({"metallb.io/loadBalancerIPs": "192.0.2.200"}, type="ClusterIP")
    assert risk(old, inside, "spec.type") is Risk.DESTRUCTIVE
    for op, new in ((Op.DELETE, None), (Op.REPLACE, old)):
        (found,) = assess(ChangeSet(Against.STATE, (Change(op, old.urn, old, new),), (REGION,))).changes
        assert found.risk is Risk.DESTRUCTIVE


@pytest.mark.parametrize(
    ("type", "expected"),
    [
        ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", Risk.TRAFFIC),
        ("kubernetes:core/v1:ServiceAccount", Risk.TRAFFIC),
        ("kubernetes:core/v1:ResourceQuota", Risk.ORDINARY),
    ],
)
def test_what_others_need_is_missed_when_it_goes(type: str, expected: Risk) -> None:
    gone = Resource(f"urn:pulumi:lab::crossmesh::{type}::eu-x", type, "eu-x", {})
    (found,) = assess(ChangeSet(Against.STATE, (Change(Op.DELETE, gone.urn, gone, None),), (REGION,))).changes
    assert found.risk is expected


def ingress(name: str, host: str) -> Resource:
    type = "kubernetes:networking.k8s.io/v1:Ingress"
    return Resource(
        f"urn:pulumi:lab::crossmesh::{type}::{name}", type, name, {"spec": {"rules": [{"host": host}]}}
    )


def test_a_host_that_no_ingress_serves_any_more_is_lost() -> None:
    def of(*given: Change, same: tuple[Resource, ...] = ()) -> list[tuple[Risk, str]]:
        return [(found.risk, found.why) for found in assess(ChangeSet(Against.STATE, given, same)).changes]

    old, other = ingress("a", "a.example.com"), ingress("b", "a.example.com")
    lost = (Risk.DESTRUCTIVE, "a.example.com is answered no more")
    assert of(Change(Op.DELETE, old.urn, old, None)) == [lost]
    assert of(Change(Op.UPDATE, old.urn, old, ingress("a", "b.example.com"))) == [lost]
    assert of(Change(Op.DELETE, old.urn, old, None), same=(other,)) == [(Risk.TRAFFIC, "it goes")]
    assert of(Change(Op.UPDATE, old.urn, old, old)) == [(Risk.TRAFFIC, "where requests go changes")]


def test_a_service_that_asks_for_an_address_at_last_takes_none_away() -> None:
    new = service({"metallb.io/loadBalancerIPs": "192.0.2.200"})
    assert risk(service({}), new, "metadata.annotations") is Risk.TRAFFIC
