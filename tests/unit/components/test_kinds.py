"""Fields that an object's kind does not have are refused when it is declared."""

from __future__ import annotations

import copy

import pytest
from pulumi import Output

from components.kinds import UnknownFieldError, kinds
from releases import versions

VERSION = versions("kubernetes")[0]
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop", "namespace": "web", "labels": {"any": "label"}},
    "spec": {
        "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": {"app": "shop"}},
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [{"name": "shop", "image": "shop:1", "ports": [{"containerPort": 80}]}]},
        },
    },
}


def _refused(manifest):
    with pytest.raises(UnknownFieldError) as raised:
        kinds(VERSION).require_known_fields(manifest)
    return str(raised.value)


def _with(change):
    made = copy.deepcopy(DEPLOYMENT)
    change(made)
    return made


@pytest.mark.parametrize("version", versions("kubernetes"))
def test_there_are_schemas_of_each_supported_version(version):
    assert kinds(version).name("apps", "v1", "Deployment")


def test_an_object_as_it_should_be_is_taken():
    kinds(VERSION).require_known_fields(DEPLOYMENT)


def test_a_misspelt_field_is_named_with_its_object_and_the_one_that_is_meant():
    words = _refused(
        _with(
            lambda made: made["spec"]["strategy"].update(rollingUpdate={"maxSurge": 1, "maxUnavailible": 0})
        )
    )
    assert words.splitlines()[:2] == [
        "apps/v1 Deployment web/shop has what Kubernetes 1.34 does not know:",
        "  spec.strategy.rollingUpdate.maxUnavailible: no such field; is maxUnavailable meant?",
    ]


def test_all_unknown_fields_are_named_also_at_the_top_and_in_lists():
    def spoil(made):
        made["status_"] = {}
        made["spec"]["template"]["spec"]["containers"][0]["imagePulPolicy"] = "Always"
        made["spec"]["template"]["spec"]["containers"][0]["ports"][0]["xyzzy"] = 1

    words = _refused(_with(spoil))
    assert "  status_: no such field; is status meant?" in words
    assert (
        "  spec.template.spec.containers[0].imagePulPolicy: no such field; is imagePullPolicy meant?" in words
    )
    assert "  spec.template.spec.containers[0].ports[0].xyzzy: no such field\n" in words


def test_what_is_known_late_is_passed_over():
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"any": Output.from_input("value")},
    }
    kinds(VERSION).require_known_fields(secret)
    kinds(VERSION).require_known_fields({**secret, "data": Output.from_input({})})


def test_custom_kinds_are_left_to_their_definitions():
    kinds(VERSION).require_known_fields(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "g"},
            "spec": {"x": 1},
        }
    )


def test_a_definitions_own_schema_is_looked_into():
    schema = {"type": "object", "properties": {"spec": {"type": "object", "propertys": {}}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Thing", "plural": "things"}
    words = _refused(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.example.org"},
            "spec": {"group": "example.org", "names": names, "scope": "Cluster", "versions": [version]},
        }
    )
    assert "spec.versions[0].schema.openAPIV3Schema.properties.spec.propertys: no such field" in words


def test_schemas_of_a_version_that_nobody_carries_are_not_made_up():
    assert kinds("1.7.0") is None
