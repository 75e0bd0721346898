"""A node leaves a cluster, asked of a real API server: evictions, disruption budgets, the Node object.

There is no kubelet, so a pod is gone as soon as its eviction was accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from access.cluster import Cluster
from playbooks.provider.membership import Leaving
from report.errors import OperationsError
from tests.lab.api_server import ApiServer

_NODES, _PODS = "/api/v1/nodes", "/api/v1/namespaces/default/pods"
_BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with ApiServer("eu") as started:
        yield started


def node(server: ApiServer, name: str) -> None:
    server.request("POST", _NODES, {"metadata": {"name": name}})
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    server.edit(f"{_NODES}/{name}/status", ready)
    # The server itself taints what is new; a controller, which is not here, takes that back.
    server.edit(f"{_NODES}/{name}", {"spec": {"taints": None}})


def pod(server: ApiServer, name: str, owner: str = "ReplicaSet") -> None:
    owners = [{"apiVersion": "apps/v1", "kind": owner, "name": "x", "uid": "x", "controller": True}]
    spec = {
        "nodeName": "w1",
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "none"}],
    }
    metadata = {"name": name, "labels": {"app": name}, "ownerReferences": owners}
    server.request("POST", _PODS, {"metadata": metadata, "spec": spec})
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    server.edit(f"{_PODS}/{name}/status", {"status": running})


def leave(server: ApiServer, seconds: float, on_wait: Callable[[str], Awaitable[None]]) -> list[str]:
    async def steps() -> list[str]:
        with Cluster("eu", server.kubeconfig) as cluster:
            leaving = Leaving(cluster, "w1", say=on_wait, cancelled=lambda: False)
            assert await leaving.is_member()
            await leaving.cordon()
            left = await leaving.drain(seconds)
            await leaving.remove()
            return left

    return asyncio.run(steps())


def test_a_node_leaves_once_the_budget_of_its_pod_allows_it(server: ApiServer) -> None:
    for name in ("w1", "w2"):
        node(server, name)
    pod(server, "web")
    pod(server, "proxy", owner="DaemonSet")
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    server.request("POST", _BUDGETS, {"metadata": {"name": "web"}, "spec": budget})
    waits: list[str] = []

    async def keep(words: str) -> None:
        waits.append(words)

    with pytest.raises(OperationsError, match="not drained within 1 s, it stays a node: default/web"):
        leave(server, 1, keep)
    assert server.exists(f"{_PODS}/web"), "its budget allows no eviction"
    assert "budget" in waits[0]
    assert server.request("GET", f"{_NODES}/w1")["spec"]["unschedulable"]

    async def allow(_: str) -> None:
        if server.exists(f"{_BUDGETS}/web"):
            server.delete(f"{_BUDGETS}/web")

    assert leave(server, 60, allow) == []
    assert not server.exists(f"{_PODS}/web")
    assert server.exists(f"{_PODS}/proxy"), "it belongs to the node"
    assert not server.exists(f"{_NODES}/w1")
