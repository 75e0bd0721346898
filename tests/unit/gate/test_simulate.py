"""A state made from a plan: what the engine wants of one."""

from __future__ import annotations

import json
from typing import Any

from gate.simulate import deployment
from gate.workspace import PLACEHOLDER_KUBECONFIG
from report.masking import SECRET_SIGNATURE, SIGNATURE
from report.model import UNKNOWN

STACK = "urn:pulumi:lab::p::pulumi:pulumi:Stack::p-lab"
PROVIDER = "urn:pulumi:lab::p::pulumi:providers:kubernetes::eu.kubernetes"
OBJECT = "urn:pulumi:lab::p::kubernetes:core/v1:Secret::a"
SALT = "v1:salt"


def secret(value: Any) -> dict[str, str]:
    return {SIGNATURE: SECRET_SIGNATURE, "plaintext": json.dumps(value)}


def planned(type: str, adds: dict[str, Any], *, custom: bool = True, state: Any = None, **goal: Any) -> Any:
    base = {"type": type, "name": "x", "custom": custom, "inputDiff": {"adds": adds}, "outputDiff": {}}
    return {"goal": {**base, **goal}, "steps": ["create"], "state": state}


METADATA = {"name": "a", "namespace": "shop"}
# Sorted by name, the object comes before what it rests on.
PLAN = {
    "resourcePlans": {
        OBJECT: planned(
            "kubernetes:core/v1:Secret",
            {"metadata": METADATA, "stringData": {"known": secret("x"), "later": secret(UNKNOWN)}},
            parent=STACK,
            dependencies=[PROVIDER],
            provider=f"{PROVIDER}::{UNKNOWN}",
        ),
        PROVIDER: planned("pulumi:providers:kubernetes", {"kubeconfig": secret(UNKNOWN)}, parent=STACK),
        STACK: planned("pulumi:pulumi:Stack", {}, custom=False),
    }
}


def resources() -> dict[str, dict[str, Any]]:
    return {found["urn"]: found for found in deployment(PLAN, SALT)["deployment"]["resources"]}


def test_what_a_resource_rests_on_comes_before_it() -> None:
    assert list(resources()) == [STACK, PROVIDER, OBJECT]


def test_providers_have_ids_and_resources_refer_to_them() -> None:
    found = resources()
    assert found[OBJECT]["provider"] == f"{PROVIDER}::{found[PROVIDER]['id']}"
    assert UNKNOWN not in found[PROVIDER]["id"]


def test_objects_have_the_ids_that_their_provider_gives() -> None:
    assert resources()[OBJECT]["id"] == "shop/a"


def test_components_have_no_id() -> None:
    assert "id" not in resources()[STACK]


def test_known_secrets_stay_secrets_and_unknown_ones_are_only_unknown() -> None:
    found = resources()[OBJECT]
    assert found["inputs"]["stringData"] == {"known": secret("x"), "later": UNKNOWN}
    assert found["outputs"]["__inputs"] == found["inputs"]


def test_a_clusters_provider_leads_nowhere() -> None:
    assert resources()[PROVIDER]["inputs"]["kubeconfig"] == secret(PLACEHOLDER_KUBECONFIG)


def test_the_state_is_the_same_each_time() -> None:
    assert deployment(PLAN, SALT) == deployment(PLAN, SALT)
