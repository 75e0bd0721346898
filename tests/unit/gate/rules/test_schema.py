"""Objects against the schemas of their kinds, Kubernetes' own and those that definitions bring."""

from __future__ import annotations

import copy
from ipaddress import IPv4Network
from typing import Any

import pytest

from components.manifests import Manifest, exposure, mesh, named, namespaces, network
from gate.rules import schema
from gate.rules.change import api_versions
from gate.rules.schema.structural import of_object
from releases import default, release
from report.model import SECRET, UNKNOWN, Finding, Resource, Status
from stacks.model import AdoptedClusterSpec, ApplicationSpec, IngressPath, IngressSpec, NamespaceSpec
from tests.unit.components import support as components
from tests.unit.gate.rules.support import (
    against,
    changes,
    creation,
    kubernetes,
    stack,
    subject,
    with_environment,
    with_region,
)
from tests.unit.policies.support import changed, web


def said(*manifests: Manifest, clusters: tuple[str, ...] = ("eu",), **more: Any) -> list[Finding]:
    """What is against objects."""
    resources = [kubernetes(manifest, cluster) for cluster in clusters for manifest in manifests]
    return looked_at(resources, **more)


def looked_at(resources: list[Resource], **more: Any) -> list[Finding]:
    found = schema.findings(subject(changes(*map(creation, resources)), **more))
    assert {each.rule for each in found} == {rule.id for rule in schema.RULES}
    return [each for each in found if each.status is not Status.PASS]


def test_what_the_platform_makes_is_right() -> None:
    spec = IngressSpec(
        namespace="shop", host="a.example.com", paths=(IngressPath(path="/", application="web"),)
    )
    made = [
        *web(2),
        namespaces.istio_system("flat"),
        namespaces.application("shop", NamespaceSpec(pod_security="privileged")),
        exposure.ingress("shop", spec, {"web": ApplicationSpec(namespace="shop", image="web:1")}),
        exposure.tls_secret("shop-tls", chain="CHAIN", private_key="KEY"),
        mesh.ingress_class(),
        mesh.remote_secret("us", "KUBECONFIG"),
    ]
    assert said(*made) == []


CONTAINER = ("spec", "template", "spec", "containers", 0)


@pytest.mark.parametrize(
    ("value", "path", "where"),
    [
        ("two", ("spec", "replicas"), "spec.replicas"),
        (2, ("spec", "replica"), "spec: "),
        ("IfNeeded", (*CONTAINER, "imagePullPolicyy"), "containers[0]"),
        ({"a": 1}, ("metadata", "labels"), "metadata.labels.a"),
        (None, (*CONTAINER, "name"), "containers[0]"),
        ([{"containerPort": "http"}], (*CONTAINER, "ports"), "ports[0].containerPort"),
    ],
)
def test_wrong_types_unknown_and_missing_fields_are_found(
    value: Any, path: tuple[Any, ...], where: str
) -> None:
    (found,) = said(changed(web()[2], value, *path))
    assert (found.rule, found.status) == ("schema/built-in", Status.FAIL)
    assert where in found.message


def test_a_number_or_a_text_may_stand_where_both_may() -> None:
    for port in (8080, "http"):
        assert said(changed(web()[1], port, "spec", "ports", 0, "targetPort")) == []
    assert len(said(changed(web()[1], [8080], "spec", "ports", 0, "targetPort"))) == 1


def test_one_object_in_many_clusters_is_said_of_each() -> None:
    found = said(changed(web()[2], "two", "spec", "replicas"), clusters=("eu", "us"))
    assert [each.urn.rpartition("::")[2] for each in found] == ["eu.shop.web", "us.shop.web"]
    assert len({each.message for each in found}) == 1


def test_a_shape_that_is_wrong_throughout_is_cut_short() -> None:
    env = [{"nam": str(number)} for number in range(20)]
    found = said(changed(web()[2], env, *CONTAINER, "env"))
    assert len(found) == 6
    assert "more problems" in found[-1].message


def test_a_value_that_is_not_known_is_said_to_be() -> None:
    (found,) = said(changed(web()[2], UNKNOWN, "spec", "replicas"), web()[1])
    assert found.status is Status.NOT_MEASURABLE
    assert "spec.replicas" in found.message


def test_beside_it_what_is_wrong_is_found() -> None:
    unknown = changed(web()[2], UNKNOWN, "spec", "replicas")
    found = said(changed(unknown, "x", "spec", "replica"))
    assert sorted(each.status for each in found) == [Status.FAIL, Status.NOT_MEASURABLE]


def test_many_alike_have_one_finding() -> None:
    secrets = [mesh.remote_secret(name, UNKNOWN) for name in ("us", "ap", "sa")]
    (found,) = said(*secrets)
    assert found.message == "Secret: not known before `up`: stringData (3 objects)"


@pytest.mark.parametrize("data", [SECRET, {"tls.key": SECRET}])
def test_secret_data_is_taken_to_be_right(data: Any) -> None:
    assert said(changed(exposure.tls_secret("shop-tls", chain="", private_key=""), data, "stringData")) == []


def test_a_secret_number_cannot_be_seen() -> None:
    (found,) = said(changed(web()[2], SECRET, "spec", "replicas"))
    assert found.status is Status.NOT_MEASURABLE


def test_versions_without_schemas_are_said_to_be() -> None:
    other = with_environment(
        stack(), lambda found: {"versions": found.versions.model_copy(update={"kubernetes": "1.99.0"})}
    )
    found = said(*web(), of=other)
    assert [each.status for each in found] == [Status.NOT_MEASURABLE] * 2
    assert "1.99.0" in found[0].message


def test_each_minor_version_has_its_own() -> None:
    """`resource.k8s.io/v1` is served since Kubernetes 1.34; of 1.33 change/api-versions speaks."""
    claim = named("resource.k8s.io/v1", "ResourceClaim", "gpu", "shop", spec={"devices": {}})
    wrong = named("resource.k8s.io/v1", "ResourceClaim", "gpu", "shop", spec={"devices": "all"})
    assert said(claim) == []
    assert [found.status for found in said(wrong)] == [Status.FAIL]
    older = with_environment(
        stack(), lambda found: {"versions": found.versions.model_copy(update={"kubernetes": "1.33.0"})}
    )
    assert said(wrong, of=older) == []
    (found,) = against(api_versions.CHECK, changes(creation(kubernetes(claim))), of=older)
    assert "resource.k8s.io/v1 ResourceClaim is not served by Kubernetes 1.33" in found.message


def test_objects_of_a_cluster_whose_version_nobody_declares_are_not_measurable() -> None:
    cluster = AdoptedClusterSpec(
        kind="adopted",
        kubeconfig_secret="k",
        pod_cidr=IPv4Network("10.20.128.0/17"),
        service_cidr=IPv4Network("10.21.0.0/20"),
    )
    there = with_region(stack(), "eu", lambda _: {"cluster": cluster})
    found = said(*web(), of=there)
    assert [each.status for each in found] == [Status.NOT_MEASURABLE] * 2
    assert "`kubernetesVersion` of the adopted clusters of eu" in found[0].message


# -- Custom resources

SHOP: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
                "port": {"x-kubernetes-int-or-string": True},
                "kind": {"type": "string", "enum": ["big", "small"]},
                "name": {"type": "string", "nullable": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "doors": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"wide": {"type": "boolean"}}},
                },
                "template": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {}},
            },
            "oneOf": [
                {"required": ["kind"], "not": {"required": ["labels"]}},
                {"required": ["labels"], "properties": {"labels": {"minProperties": 1}}},
            ],
        }
    },
}


def definition(found: dict[str, Any] | None = None, **version: Any) -> Manifest:
    made = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": found or SHOP},
        **version,
    }
    spec = {
        "group": "example.com",
        "names": {"kind": "Shop", "plural": "shops"},
        "scope": "Namespaced",
        "versions": [made],
    }
    return named("apiextensions.k8s.io/v1", "CustomResourceDefinition", "shops.example.com", spec=spec)


def shop(**spec: Any) -> Manifest:
    return named("example.com/v1", "Shop", "corner", "shop", spec={"size": 1, "kind": "big", **spec})


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ({"size": 0}, {"size": 1}),
        ({"size": "1"}, {"size": 2}),
        ({"port": []}, {"port": "http"}),
        ({"port": 1.5}, {"port": 80}),
        ({"kind": "huge"}, {"kind": "small"}),
        ({"sice": 1}, {"size": 1}),
        ({"free": 1}, {"free": {"anything": 1}}),
        ({"name": 1}, {"name": None}),
        ({"doors": [{"wide": "yes"}]}, {"doors": [{"wide": True}]}),
        ({"doors": [{"tall": True}]}, {"doors": [{}]}),
        ({"template": {"x": 1}}, {"template": {"apiVersion": "v1", "kind": "Pod"}}),
        ({"labels": {}}, {"labels": {"a": "b"}}),
    ],
)
def test_a_custom_resource_is_what_its_definition_says(bad: dict[str, Any], good: dict[str, Any]) -> None:
    found = said(definition(), shop(**bad))
    assert {(each.rule, each.status) for each in found} == {("schema/custom", Status.FAIL)}
    assert said(definition(), shop(**good)) == []


def test_its_metadata_is_looked_at_as_well() -> None:
    (found,) = said(definition(), changed(shop(), {"a": 1}, "metadata", "labels"))
    assert found.message.startswith("metadata.labels.a: ")


def test_without_a_definition_in_its_cluster_nothing_can_be_said() -> None:
    found = looked_at([kubernetes(definition(), "us"), kubernetes(shop(), "eu")])
    assert [(each.status, each.message) for each in found] == [
        (Status.NOT_MEASURABLE, "nothing here defines example.com/v1 Shop")
    ]


def test_an_object_in_a_region_that_is_not_declared_is_said_to_be() -> None:
    found = looked_at([kubernetes(shop(), "ap")])
    assert [(each.status, each.message) for each in found] == [
        (Status.NOT_MEASURABLE, "the region that it is in is not declared")
    ] * 2


def test_each_cluster_has_its_own_definition() -> None:
    other = changed(
        definition(),
        "string",
        "spec",
        "versions",
        0,
        "schema",
        "openAPIV3Schema",
        "properties",
        "spec",
        "properties",
        "size",
        "type",
    )
    found = looked_at(
        [
            kubernetes(definition(), "eu"),
            kubernetes(shop(), "eu"),
            kubernetes(other, "us"),
            kubernetes(shop(), "us"),
        ]
    )
    assert [each.urn.rpartition("::")[2] for each in found] == ["us.shop.corner"]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (definition(name="v2"), "has no version v1"),
        (definition(schema={}), "has no schema"),
        (
            definition({"type": "object", "properties": {"spec": {"type": "string", "pattern": "("}}}),
            "cannot be used",
        ),
    ],
)
def test_a_definition_that_says_nothing_is_said_to(found: Manifest, why: str) -> None:
    (each,) = [each for each in said(found, shop()) if each.rule == "schema/custom"]
    assert each.status is Status.NOT_MEASURABLE
    assert why in each.message


def test_a_definition_is_an_object_too() -> None:
    broken = changed(definition(), "Everywhere", "spec", "scop")
    (found,) = said(broken)
    assert found.rule == "schema/built-in"


def test_what_has_ended_is_another_rules_matter() -> None:
    assert said(named("policy/v1beta1", "PodDisruptionBudget", "old", "shop")) == []


def test_the_schema_that_is_made_leaves_the_definition_as_it_is() -> None:
    kept = copy.deepcopy(SHOP)
    assert of_object(SHOP)["properties"]["spec"]["additionalProperties"] is False
    assert kept == SHOP


def test_the_releases_objects_are_looked_at() -> None:
    made = network.release(
        components.metallb(default("metallb")),
        images=release("metallb", default("metallb")).images,
        ca_bundle=UNKNOWN,
        certificate=UNKNOWN,
        private_key=UNKNOWN,
        ca_certificate=UNKNOWN,
    )
    found = said(*made)
    assert any("webhooks[*].clientConfig.caBundle" in each.message for each in found)
