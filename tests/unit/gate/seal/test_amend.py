"""What of the engine's plan is left open, and how the final form of an object is compared instead."""

from __future__ import annotations

from typing import Any

import pytest

from gate.seal.amend import Amended, amended
from gate.seal.steps import unlike
from report.model import SECRET
from tests.unit.gate.seal.support import UNKNOWN, secret, urn

PROVIDER = urn("eu.kubernetes", "pulumi:providers:kubernetes")
METADATA = {"name": "web", "namespace": "shop"}


def resource(
    adds: dict[str, Any] | None = None,
    kind: str = "Deployment",
    updates: dict[str, Any] | None = None,
    deletes: list[str] | None = None,
) -> dict[str, Any]:
    api = "core/v1" if kind in ("Secret", "ConfigMap") else "apps/v1"
    diff = {"adds": adds or {}, "updates": updates or {}, "deletes": deletes or []}
    return {
        "goal": {
            "type": f"kubernetes:{api}:{kind}",
            "custom": True,
            "provider": f"{PROVIDER}::{UNKNOWN}",
            "parent": "p",
            "inputDiff": diff,
        },
        "steps": ["create"],
        "seed": "s",
    }


def plan(found: dict[str, Any], provider: Any = None, **others: str) -> dict[str, Any]:
    """A plan for the object, with its provider, and with other resources by name and step."""
    return {
        "config": {"k": {"secure": "v1"}},
        "resourcePlans": {
            urn("web"): found,
            PROVIDER: provider or {"goal": {"inputDiff": {}}, "steps": ["same"]},
            **{urn(name): {"goal": {"type": "t"}, "steps": [step]} for name, step in others.items()},
        },
    }


def diff_of(made: Amended) -> Any:
    return made.plan["resourcePlans"][urn("web")]["goal"]["inputDiff"]


def provider_with(kubeconfig: Any) -> dict[str, Any]:
    goal = {
        "inputDiff": {"updates": {"kubeconfig": kubeconfig}},
        "propertyDependencies": {"kubeconfig": [urn("cluster")]},
    }
    return {"goal": goal, "steps": ["update"]}


@pytest.mark.parametrize(
    ("kubeconfig", "cluster", "opened"),
    [
        (UNKNOWN, "create", True),
        (secret(), "create", True),
        (secret(), "update", True),
        (secret(), "same", False),
    ],
)
def test_values_are_left_open_where_the_cluster_may_not_have_been_known(
    kubeconfig: Any, cluster: str, opened: bool
) -> None:
    found = resource({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": METADATA, "spec": {"r": 1}})
    made = amended(plan(found, provider_with(kubeconfig), cluster=cluster))
    assert (urn("web") in made.opened) is opened
    assert diff_of(made)["adds"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": METADATA,
        "spec": UNKNOWN if opened else {"r": 1},
    }


@pytest.mark.parametrize("value", [{"a": UNKNOWN}, [{"b": [UNKNOWN]}]])
def test_values_are_left_open_where_one_was_not_known(value: Any) -> None:
    found = resource(updates={"spec": value, "metadata": METADATA}, deletes=["x"])
    assert diff_of(amended(plan(found))) == {
        "adds": {},
        "updates": {"spec": UNKNOWN, "metadata": METADATA},
        "deletes": ["x"],
    }


@pytest.mark.parametrize(
    ("step", "opened"),
    [("create", True), ("update", True), ("create-replacement", True), ("same", False), ("read", False)],
)
def test_a_secret_was_known_unless_what_it_comes_from_changes(step: str, opened: bool) -> None:
    found = resource({"data": secret()}, kind="Secret")
    found["goal"]["propertyDependencies"] = {"data": [urn("certificate")]}
    assert bool(amended(plan(found, certificate=step)).opened) is opened


def test_everything_else_stays() -> None:
    found = resource({"spec": UNKNOWN})
    made = amended(plan(found)).plan
    goal = made["resourcePlans"][urn("web")]["goal"]
    assert {**goal, "inputDiff": None} == {**found["goal"], "inputDiff": None}
    assert made["resourcePlans"][urn("web")]["steps"] == ["create"]
    assert made["resourcePlans"][urn("web")]["seed"] == "s"
    assert made["config"] == {"k": {"secure": "v1"}}


@pytest.mark.parametrize("kind", ["Deployment", "Secret", "ConfigMap"])
def test_what_was_known_is_held_to_exactly_secrets_too(kind: str) -> None:
    found = plan(resource({"spec": {"replicas": 1}, "data": secret()}, kind))
    assert (amended(found).plan, amended(found).opened) == (found, frozenset())


@pytest.mark.parametrize(
    "kind", ["crossmesh:tls:Certificate", "pulumi:providers:kubernetes", "aws:s3:Bucket"]
)
def test_other_resources_are_held_to_exactly(kind: str) -> None:
    found = resource({"v": UNKNOWN, "s": secret()})
    found["goal"]["type"] = kind
    assert amended(plan(found, provider_with(UNKNOWN))).opened == frozenset()


def test_a_resource_that_goes_has_no_values() -> None:
    assert amended(plan({"goal": None, "steps": ["delete"]})).opened == frozenset()


@pytest.mark.parametrize("value", [{"tls.key": UNKNOWN, "tls.crt": secret()}, {"tls.crt": UNKNOWN}])
def test_what_a_secret_holds_may_be_in_either_place(value: Any) -> None:
    found = resource({"kind": "Secret", "stringData": value}, kind="Secret")
    assert diff_of(amended(plan(found)))["adds"] == {
        "kind": "Secret",
        "data": UNKNOWN,
        "stringData": UNKNOWN,
    }
    renewed = resource({"stringData": value}, kind="Secret", deletes=["data"])
    assert diff_of(amended(plan(renewed))) == {
        "adds": {"data": UNKNOWN, "stringData": UNKNOWN},
        "updates": {},
        "deletes": [],
    }


DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {}, "annotations": {"a.b/c": "x"}},
    "spec": {
        "replicas": 1,
        "paused": False,
        "template": {"containers": [{"name": "web", "env": [{"name": "E", "value": ""}]}]},
        "resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}},
        "checksum": UNKNOWN,
    },
}


def written(**spec: Any) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "annotations": {"a.b/c": "x"}},
        "spec": {
            "replicas": 1,
            "template": {"containers": [{"name": "web", "env": [{"name": "E"}]}]},
            "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
            "checksum": "now known",
            **spec,
        },
    }


def test_an_objects_final_form_is_not_another_object() -> None:
    assert unlike(DEPLOYMENT, written()) == ()
    assert unlike(written(), DEPLOYMENT | {"spec": {**DEPLOYMENT["spec"], "checksum": "now known"}}) == ()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"replicas": 2}, "spec.replicas"),
        ({"replicas": None}, "spec.replicas"),
        ({"paused": True}, "spec.paused"),
        ({"hostNetwork": True}, "spec.hostNetwork"),
        ({"template": {"containers": []}}, "spec.template.containers"),
        (
            {"template": {"containers": [{"name": "web", "env": [{"name": "E", "value": "x"}]}]}},
            "spec.template.containers[0].env[0].value",
        ),
        ({"resources": {"requests": {"cpu": "501m", "memory": "1Gi"}}}, "spec.resources.requests.cpu"),
        ({"template": "text"}, "spec.template"),
    ],
)
def test_each_value_that_is_another_is_named(spec: dict[str, Any], path: str) -> None:
    assert unlike(DEPLOYMENT, written(**spec)) == (path,)


def test_a_key_with_dots_is_named_in_brackets() -> None:
    other = {**written(), "metadata": {"name": "web", "annotations": {"a.b/c": "y"}}}
    assert unlike(DEPLOYMENT, other) == ('metadata.annotations["a.b/c"]',)


def test_masked_values_are_taken_for_equal_and_a_secrets_place_does_not_matter() -> None:
    sealed = {"kind": "Secret", "type": "t", "stringData": {"a": UNKNOWN, "b": SECRET}}
    assert unlike(sealed, {"kind": "Secret", "type": "t", "data": SECRET}) == ()
    assert unlike(sealed, {"kind": "Secret", "type": "u", "data": SECRET}) == ("type",)
    assert unlike({"data": {"v": SECRET}}, {"data": SECRET}) == ()
