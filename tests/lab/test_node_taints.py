"""Taints of a node, asked of a real API server: others hold and write the same list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from playbooks.provider.fleet import Fleet
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.node_taints import NodeTaints
from tests.lab.api_server import ApiServer
from tests.unit.playbooks.provider.support import FakeEngine

NODES = "/api/v1/nodes"
SLOW = {"key": "example.com/slow", "value": "disk", "effect": "PreferNoSchedule"}
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
DECLARED = {"example.com/slow:PreferNoSchedule": "disk"}
UP = Operation(Context(FakeEngine(), Fleet(), None), "urn", 30)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with ApiServer("eu") as started:
        yield started


def node(server: ApiServer, name: str, *taints: dict[str, str]) -> dict[str, Any]:
    """A Node that registers with these; the server itself adds that it is not ready."""
    body = {"metadata": {"name": name}, "spec": {"taints": list(taints)}}
    server.request("POST", f"{NODES}?fieldManager=kubelet", body)
    return {"kubeconfig": server.kubeconfig, "node": name, "taints": DECLARED}


def live(server: ApiServer, name: str) -> list[dict[str, Any]]:
    return list(server.request("GET", f"{NODES}/{name}")["spec"].get("taints") or ())


def part(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"rack": "r2"}},
        **({"spec": spec} if spec else {}),
    }


def test_a_taint_that_kubelet_registered_goes_and_conditions_stay(server: ApiServer) -> None:
    inputs = node(server, "w1", SLOW)
    state = asyncio.run(NodeTaints().create(UP, inputs))
    assert live(server, "w1") == [SLOW, NOT_READY]
    asyncio.run(NodeTaints().delete(UP, inputs, state))
    assert live(server, "w1") == [NOT_READY]


def test_a_taint_comes_again_and_takes_another_value(server: ApiServer) -> None:
    inputs = node(server, "w2")
    state = asyncio.run(NodeTaints().create(UP, inputs))
    assert live(server, "w2") == [NOT_READY, SLOW]
    other = {**inputs, "taints": {"example.com/slow:PreferNoSchedule": "tape", "gpu:NoExecute": ""}}
    state = asyncio.run(NodeTaints().update(UP, state, other))
    gpu = {"key": "gpu", "effect": "NoExecute"}
    assert [*live(server, "w2")] == [NOT_READY, {**SLOW, "value": "tape"}, gpu]
    assert asyncio.run(NodeTaints().read(UP, other, state)) == state
    server.edit(f"{NODES}/w2", {"spec": {"taints": [gpu]}})
    asyncio.run(NodeTaints().delete(UP, other, state))
    assert live(server, "w2") == []


def test_giving_up_what_an_earlier_version_applied_takes_no_taint_away(server: ApiServer) -> None:
    inputs = node(server, "w3")
    server.apply(f"{NODES}/w3", part("w3", taints=[SLOW]))
    assert live(server, "w3") == [SLOW], "an apply of the whole list takes conditions away"
    server.edit(f"{NODES}/w3", {"spec": {"taints": [SLOW, NOT_READY]}}, manager="kube-controller-manager")
    server.apply(f"{NODES}/w3", part("w3", taints=[NOT_READY, SLOW]))
    state = asyncio.run(NodeTaints().create(UP, inputs))
    server.apply(f"{NODES}/w3", part("w3"))
    assert live(server, "w3") == [NOT_READY, SLOW]
    assert server.request("GET", f"{NODES}/w3")["metadata"]["labels"]["rack"] == "r2"
    asyncio.run(NodeTaints().delete(UP, inputs, state))
    assert live(server, "w3") == [NOT_READY]
