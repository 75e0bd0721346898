"""A state made from a preview: what the engine wants of one."""

from __future__ import annotations

from typing import Any

from operations.gate.model import UNKNOWN
from operations.gate.simulate import deployment

STACK_URN = "urn:pulumi:lab::p::pulumi:pulumi:Stack::p-lab"
PROVIDER_URN = "urn:pulumi:lab::p::pulumi:providers:kubernetes::eu-kubernetes"
OBJECT_URN = "urn:pulumi:lab::p::kubernetes:core/v1:ConfigMap::a"
SALT = "v1:salt"


def create(urn: str, type: str, **more: Any) -> dict[str, Any]:
    new = {"urn": urn, "type": type, "custom": True, "inputs": {}, "outputs": {}, **more}
    return {"resourcePreEvent": {"metadata": {"op": "create", "urn": urn, "type": type, "new": new}}}


EVENTS = [
    create(STACK_URN, "pulumi:pulumi:Stack", custom=False),
    create(PROVIDER_URN, "pulumi:providers:kubernetes", parent=STACK_URN),
    create(
        OBJECT_URN,
        "kubernetes:core/v1:ConfigMap",
        parent=STACK_URN,
        provider=f"{PROVIDER_URN}::{UNKNOWN}",
        inputs={"metadata": {"name": "a", "namespace": "shop"}, "data": {"k": UNKNOWN}},
        outputs={"status": UNKNOWN},
    ),
]


def resources() -> dict[str, dict[str, Any]]:
    made = deployment(EVENTS, SALT)
    return {found["urn"]: found for found in made["deployment"]["resources"]}


def test_providers_have_ids_and_resources_refer_to_them() -> None:
    found = resources()
    assert found[OBJECT_URN]["provider"] == f"{PROVIDER_URN}::{found[PROVIDER_URN]['id']}"
    assert UNKNOWN not in found[PROVIDER_URN]["id"]


def test_objects_have_the_ids_that_their_provider_gives() -> None:
    assert resources()[OBJECT_URN]["id"] == "shop/a"


def test_components_have_no_id() -> None:
    assert "id" not in resources()[STACK_URN]


def test_what_only_up_can_know_stays_unknown() -> None:
    found = resources()[OBJECT_URN]
    assert found["inputs"]["data"] == {"k": UNKNOWN}
    assert found["outputs"]["status"] == UNKNOWN
    assert found["outputs"]["metadata"] == found["inputs"]["metadata"]


def test_the_state_is_the_same_each_time() -> None:
    assert deployment(EVENTS, SALT) == deployment(EVENTS, SALT)
