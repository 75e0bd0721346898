"""What becomes of operations that a killed engine left as begun."""

from __future__ import annotations

from typing import Any

import pytest

from access.pending import Pending, operations, settled

HOST, OBJECT = "crossmesh:hosts:HostPhase", "kubernetes:core/v1:ConfigMap"
BROUGHT_TO = {HOST: ("digest", "made")}


def resource(token: str, name: str = "a", **values: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:s::p::{token}::{name}", "custom": True, "type": token, **values}


def state(*resources: dict[str, Any], **begun: dict[str, Any]) -> dict[str, Any]:
    entries = [{"resource": entry, "type": doing} for doing, entry in begun.items()]
    return {"version": 3, "deployment": {"resources": list(resources), "pending_operations": entries}}


def test_what_was_interrupted_is_read_with_its_name() -> None:
    (pending,) = operations(state(creating=resource(HOST, "eu-worker-1-join")))
    assert pending == Pending("urn:pulumi:s::p::crossmesh:hosts:HostPhase::eu-worker-1-join", "creating")
    assert str(pending) == "eu-worker-1-join was interrupted while creating"
    assert operations({"version": 3, "deployment": None}) == []


@pytest.mark.parametrize("doing", ["updating", "deleting"])
def test_nobody_knows_what_a_half_done_host_was_brought_to(doing: str) -> None:
    before = resource(HOST, id="a", outputs={"digest": "d", "made": "m", "host": "h"})
    after = settled(state(before, **{doing: resource(HOST)}), BROUGHT_TO)["deployment"]
    assert after["resources"] == [
        {**before, "outputs": {"made": "m", "host": "h"}, "initErrors": [f"interrupted while {doing}"]}
    ]
    assert "pending_operations" not in after


def test_a_host_that_was_being_made_is_in_the_state_so_that_it_can_be_reset() -> None:
    begun = resource(HOST, "a", inputs={"host": "h", "digest": "d", "made": "m"}, parent="urn:parent")
    (kept,) = settled(state(creating=begun), BROUGHT_TO)["deployment"]["resources"]
    assert kept == {
        **begun,
        "id": "a",
        "outputs": {"host": "h"},
        "initErrors": ["interrupted while creating"],
    }


def test_an_object_is_updated_again_and_made_again() -> None:
    before = resource(OBJECT, outputs={"data": {}})
    pending = state(before, updating=resource(OBJECT), creating=resource(OBJECT, "other"))
    assert settled(pending, BROUGHT_TO)["deployment"]["resources"] == [
        {**before, "initErrors": ["interrupted while updating"]}
    ]


def test_what_waits_for_its_deletion_and_what_is_the_engine_s_own_stays_as_it_is() -> None:
    replaced = resource(HOST, delete=True, outputs={"digest": "d"})
    provider = resource("pulumi:providers:kubernetes")
    pending = state(replaced, provider, deleting=resource(HOST), updating=provider)
    assert settled(pending, BROUGHT_TO)["deployment"]["resources"] == [replaced, provider]
