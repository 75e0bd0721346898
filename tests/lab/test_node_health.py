"""What a node's own rights tell, asked of a real API server: its health before a change and after it."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import toolchain
from tests.lab.api_server import ApiServer

_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_NODES, _PODS = "/api/v1/nodes", "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with ApiServer("eu") as started:
        yield started


@pytest.fixture
def health(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module on the node w1, with the rights of its kubelet."""
    rights = tmp_path / "kubelet.conf"
    rights.write_text(server.kubeconfig_of("system:node:w1", "system:nodes"))
    found = importlib.import_module("ansible_collections.crossmesh.nodes.plugins.modules.node_health")
    kubectl = (str(toolchain.program("kubectl")), f"--kubeconfig={rights}", "--request-timeout=5s", "get")
    for name, value in {"_KUBECTL": kubectl, "STATE": tmp_path, "MEMORY": tmp_path / "memory"}.items():
        monkeypatch.setattr(found, name, value)
    return found


def renew(server: ApiServer) -> None:
    now = f"{datetime.fromtimestamp(time.time() + 30, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    server.edit(f"{_LEASES}/w1", {"spec": {"renewTime": now}})


def ready(server: ApiServer, path: str, status: str = "True") -> None:
    server.edit(f"{path}/status", {"status": {"conditions": [{"type": "Ready", "status": status}]}})


def test_kubelet_s_rights_tell_what_is_well_and_what_is_not(server: ApiServer, health: ModuleType) -> None:
    spec: dict[str, Any] = {"nodeName": "w1", "containers": [{"name": "main", "image": "none"}]}
    server.request("POST", _NODES, {"metadata": {"name": "w1"}})
    server.request("POST", _LEASES, {"metadata": {"name": "w1"}, "spec": {"holderIdentity": "w1"}})
    server.request("POST", _PODS, {"metadata": {"name": "web"}, "spec": spec})
    ready(server, f"{_NODES}/w1")
    ready(server, f"{_PODS}/web")
    health.remember("w1")
    assert list(json.loads(health.MEMORY.read_text())["pods"].values()) == ["default/web"]
    assert health.prove("w1", 0, 0) == ["its kubelet has not reported since the change"]
    renew(server)
    assert health.prove("w1", 0, 0) == []
    ready(server, f"{_PODS}/web", "False")
    assert health.prove("w1", 0, 0) == ["the pod default/web is not ready"]
    ready(server, f"{_NODES}/w1", "Unknown")
    assert health.prove("w1", 0, 0) == ["the node w1 is not ready"]
