"""Taints of a node, in a list that others write as well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from access.errors import AccessError, Unanswered
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.node_taints import NodeTaints
from playbooks.taints import words
from tests.unit.playbooks.provider.fake_api_server import ApiServer
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio

SLOW = {"key": "example.com/slow", "value": "disk", "effect": "PreferNoSchedule"}
GPU = {"key": "gpu", "effect": "NoSchedule"}
NOT_READY = {
    "key": "node.kubernetes.io/not-ready",
    "effect": "NoExecute",
    "timeAdded": "2026-01-01T00:00:00Z",
}
THEIRS = {"key": "example.com/theirs", "value": "x", "effect": "NoSchedule"}
DECLARED = {"example.com/slow:PreferNoSchedule": "disk", "gpu:NoSchedule": ""}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path)
    server.nodes["w1"] = {"metadata": {"name": "w1", "resourceVersion": "1"}, "spec": {}}
    yield server
    server.stop()


def inputs(api: ApiServer, taints: dict[str, str]) -> dict[str, Any]:
    return {"kubeconfig": api.kubeconfig(), "node": "w1", "taints": taints}


def up(engine: FakeEngine, *, timeout: float = 5, preview: bool = False) -> Operation:
    return Operation(Context(engine, Fleet(), None), "urn", timeout, preview)  # type: ignore[arg-type]


def state(taints: dict[str, str]) -> dict[str, Any]:
    return {"node": "w1", "applied": taints}


def live(api: ApiServer) -> list[dict[str, Any]]:
    return list(api.nodes["w1"]["spec"].get("taints") or ())


def writes(api: ApiServer) -> int:
    return sum(method != "GET" for method, _, _ in api.calls)


async def test_taints_are_put_in_beside_those_of_others(api: ApiServer, engine: FakeEngine) -> None:
    api.edit("w1", [NOT_READY, THEIRS])
    assert await NodeTaints().create(up(engine), inputs(api, DECLARED)) == state(DECLARED)
    assert live(api) == [NOT_READY, THEIRS, SLOW, GPU]


async def test_a_node_that_registered_with_them_is_not_written(api: ApiServer, engine: FakeEngine) -> None:
    api.edit("w1", [SLOW, NOT_READY, GPU])
    await NodeTaints().create(up(engine), inputs(api, DECLARED))
    assert writes(api) == 0


async def test_one_that_is_declared_no_more_goes_whoever_holds_the_list(
    api: ApiServer, engine: FakeEngine
) -> None:
    api.edit("w1", [SLOW, NOT_READY, GPU, THEIRS])
    left = {"gpu:NoSchedule": ""}
    assert await NodeTaints().update(up(engine), state(DECLARED), inputs(api, left)) == state(left)
    assert live(api) == [NOT_READY, GPU, THEIRS]


async def test_another_value_takes_the_place_of_the_one_before(api: ApiServer, engine: FakeEngine) -> None:
    api.edit("w1", [SLOW, NOT_READY])
    new = {"example.com/slow:PreferNoSchedule": "tape"}
    old = {"example.com/slow:PreferNoSchedule": "disk"}
    await NodeTaints().update(up(engine), state(old), inputs(api, new))
    assert live(api) == [NOT_READY, {**SLOW, "value": "tape"}]


async def test_one_key_with_another_effect_is_another_taint(api: ApiServer, engine: FakeEngine) -> None:
    evicting = {**SLOW, "effect": "NoExecute"}
    api.edit("w1", [SLOW, {**SLOW, "effect": "NoSchedule"}])
    old, new = {"example.com/slow:PreferNoSchedule": "disk"}, {"example.com/slow:NoExecute": "disk"}
    await NodeTaints().update(up(engine), state(old), inputs(api, new))
    assert live(api) == [{**SLOW, "effect": "NoSchedule"}, evicting]


async def test_a_condition_that_comes_between_reading_and_writing_is_kept(
    api: ApiServer, engine: FakeEngine
) -> None:
    api.meanwhile = [lambda: api.edit("w1", [NOT_READY]), lambda: api.edit("w1", [NOT_READY, THEIRS])]
    await NodeTaints().create(up(engine), inputs(api, DECLARED))
    assert live(api) == [NOT_READY, THEIRS, SLOW, GPU]
    assert "w1: its Node was changed while its taints were" in engine.text("status")


async def test_a_node_that_never_stays_as_it_was_read_fails_after_its_time(
    api: ApiServer, engine: FakeEngine
) -> None:
    api.meanwhile = [lambda: api.edit("w1", [])] * 1000
    with pytest.raises(AccessError, match=r"after \d+ s of waiting: w1: its Node was changed"):
        await NodeTaints().create(up(engine, timeout=0.1), inputs(api, DECLARED))


async def test_taints_that_are_deleted_go_alone(api: ApiServer, engine: FakeEngine) -> None:
    # Its value was edited; it is ours by key and effect all the same.
    api.edit("w1", [{**SLOW, "value": "edited"}, NOT_READY, GPU])
    await NodeTaints().delete(up(engine), inputs(api, DECLARED), state(DECLARED))
    assert live(api) == [NOT_READY]


async def test_the_last_one_leaves_an_empty_list(api: ApiServer, engine: FakeEngine) -> None:
    api.edit("w1", [SLOW, GPU])
    await NodeTaints().delete(up(engine), inputs(api, DECLARED), state(DECLARED))
    assert live(api) == []


async def test_a_node_that_is_gone_has_nothing_to_lose(api: ApiServer, engine: FakeEngine) -> None:
    api.edit("w1", [SLOW])
    api.meanwhile = [api.nodes.clear]
    await NodeTaints().delete(up(engine), inputs(api, DECLARED), state(DECLARED))
    await NodeTaints().delete(up(engine), inputs(api, DECLARED), state(DECLARED))
    assert await NodeTaints().read(up(engine), inputs(api, DECLARED), state(DECLARED)) is None


async def test_a_node_that_is_not_there_cannot_be_given_taints(api: ApiServer, engine: FakeEngine) -> None:
    api.nodes.clear()
    with pytest.raises(AccessError, match="w1: the cluster has no such Node") as refused:
        await NodeTaints().create(up(engine), inputs(api, DECLARED))
    assert "systemctl restart kubelet" in refused.value.fix


async def test_a_cluster_that_does_not_answer_has_lost_nothing(api: ApiServer, engine: FakeEngine) -> None:
    values = inputs(api, DECLARED)
    api.stop()
    with pytest.raises(AccessError, match="does not answer"):
        await NodeTaints().delete(up(engine, timeout=0.1), values, state(DECLARED))
    with pytest.raises(Unanswered):
        await NodeTaints().read(up(engine), values, state(DECLARED))


async def test_a_refresh_sees_an_edit_and_the_next_run_takes_it_back(
    api: ApiServer, engine: FakeEngine
) -> None:
    api.edit("w1", [{**SLOW, "value": "edited"}, NOT_READY])
    resource, values = NodeTaints(), inputs(api, DECLARED)
    edited = await resource.read(up(engine), values, state(DECLARED))
    assert edited == state({"example.com/slow:PreferNoSchedule": "edited"})
    assert list((await resource.diff(up(engine), edited, values)).updates) == ["taints"]
    mended = await resource.update(up(engine), edited, values)
    assert live(api) == [NOT_READY, SLOW, GPU]
    assert await resource.read(up(engine), values, mended) == mended


async def test_a_preview_says_what_changes_and_asks_no_cluster(api: ApiServer, engine: FakeEngine) -> None:
    resource, values = NodeTaints(), inputs(api, DECLARED)
    planned = await resource.create(up(engine, preview=True), values)
    assert planned == state(DECLARED)
    assert not (await resource.diff(up(engine), planned, inputs(api, DECLARED))).any
    other = await resource.diff(up(engine), planned, {**values, "taints": {}})
    assert list(other.updates) == ["taints"]
    moved = await resource.diff(up(engine), planned, {**values, "node": "w2"})
    assert list(moved.replaces) == ["node"]
    assert not api.calls


async def test_an_earlier_version_s_hold_on_the_whole_list_is_given_up(
    api: ApiServer, engine: FakeEngine
) -> None:
    """Its part of the Node is given up next: the list would go with it where nobody else holds it."""
    labels = {"f:metadata": {"f:labels": {"f:rack": {}}}}
    kubelet = {"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:spec": {"f:taints": {}}}}
    ours = {"manager": "crossmesh", "operation": "Apply"}
    held = [kubelet, {**ours, "fieldsV1": {**labels, "f:spec": {"f:taints": {}}}}]
    api.nodes["w1"]["metadata"]["managedFields"] = held
    api.edit("w1", [SLOW, GPU])
    await NodeTaints().create(up(engine), inputs(api, DECLARED))
    assert api.nodes["w1"]["metadata"]["managedFields"] == [kubelet, {**ours, "fieldsV1": labels}]
    assert live(api) == [SLOW, GPU]


def test_taints_are_told_as_kubectl_takes_them() -> None:
    assert words(DECLARED) == "example.com/slow=disk:PreferNoSchedule, gpu:NoSchedule"
    assert words({}) == "none"
