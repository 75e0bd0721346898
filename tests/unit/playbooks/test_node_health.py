"""The module node_health, with a kubectl that is a script: what was well before is so after, or named."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.playbooks.conftest import ModuleFailed

Run = Callable[..., dict[str, Any]]


def pod(uid: str, *, ready: bool = True, **metadata: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    named = {"uid": uid, "namespace": "shop", "name": f"web-{uid}", **metadata}
    return {"metadata": named, "status": {"conditions": conditions}}


class Api:
    """What kubectl answers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.says(
            node={"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            lease={"spec": {"renewTime": "2999-01-01T00:00:00.000000Z"}},
            pods={"items": [pod("a"), pod("b")]},
            services={"items": []},
        )

    def says(self, **answers: Any) -> None:
        for what, answer in answers.items():
            (self.directory / what).write_text(json.dumps(answer))

    def is_silent(self) -> None:
        for file in ("node", "lease", "pods", "services"):
            (self.directory / file).unlink()


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    answers, programs = tmp_path / "answers", tmp_path / "bin"
    for directory in (answers, programs):
        directory.mkdir()
    script = programs / "kubectl"
    # The fourth word is what is asked for, after the file of rights, the time and `get`.
    script.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/log\ncat {answers}/$4\n')
    script.chmod(0o755)
    installed = programs / "dpkg-query"
    installed.write_text("#!/bin/sh\nprintf 1.35.3-1.1\n")
    installed.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return Api(answers)


@pytest.fixture
def module(
    ansible_module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: Api
) -> ModuleType:
    """The module on a host that is a member."""
    found = ansible_module("node_health")
    monkeypatch.setattr(found, "STATE", tmp_path / "state")
    monkeypatch.setattr(found, "MEMORY", tmp_path / "state" / "well-before.json")
    monkeypatch.setattr(found, "UPGRADE", tmp_path / "state" / "upgrade.json")
    monkeypatch.setattr(found, "_POLL", 0.05)
    found.write(tmp_path / "state" / "join.finished", json.dumps({"identity": {"node": "eu-1"}}), 0o600)
    return found


def proven(run_module: Run, module: ModuleType, timeout: int = 0, settle: int = 0) -> dict[str, Any]:
    return run_module(module, state="proven", timeout=timeout, settle=settle)


def test_a_node_on_which_all_is_as_it_was_is_proven(run_module: Run, module: ModuleType) -> None:
    told = run_module(module, state="remembered")
    assert told == {"changed": False, "node": "eu-1", "kubelet": "1.35.3-1.1", "upgrading": ""}
    assert set(json.loads(module.MEMORY.read_text())["pods"]) == {"a", "b"}
    assert proven(run_module, module)["node"] == "eu-1"
    assert not module.MEMORY.exists()


def test_everything_is_asked_with_kubelet_s_own_rights_and_of_its_own_node(
    run_module: Run, module: ModuleType, tmp_path: Path
) -> None:
    run_module(module, state="remembered")
    proven(run_module, module)
    lines = (tmp_path / "log").read_text().splitlines()
    assert all(line.startswith("--kubeconfig=/etc/kubernetes/kubelet.conf ") for line in lines)
    asked = [line.split(" get ")[1] for line in lines]
    assert "pods --all-namespaces --field-selector=spec.nodeName=eu-1 --output=json" in asked
    assert "lease eu-1 --namespace=kube-node-lease --output=json" in asked


@pytest.mark.parametrize(("record", "to"), [({}, "1.35.3"), ({"done": True}, "")])
def test_an_upgrade_that_was_broken_off_is_told(
    run_module: Run, module: ModuleType, record: dict[str, Any], to: str
) -> None:
    module.write(module.STATE / "upgrade.json", json.dumps({"to": "1.35.3", **record}), 0o600)
    assert run_module(module, state="remembered")["upgrading"] == to


NOT_READY = {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"node": NOT_READY}, "the node eu-1 is not ready"),
        (
            {"lease": {"spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}}},
            "has not reported since the change",
        ),
        ({"pods": {"items": [pod("a"), pod("b", ready=False)]}}, "the pod shop/web-b is not ready"),
    ],
)
def test_what_is_not_well_after_a_change_is_named_and_remembered(
    run_module: Run, module: ModuleType, api: Api, after: dict[str, Any], words: str
) -> None:
    run_module(module, state="remembered")
    api.says(**after)
    with pytest.raises(ModuleFailed, match=words):
        proven(run_module, module)
    run_module(module, state="remembered")
    assert set(json.loads(module.MEMORY.read_text())["pods"]) == {"a", "b"}, "the next run knows it still"


def test_a_pod_that_was_ill_before_or_that_goes_is_not_waited_for(
    run_module: Run, module: ModuleType, api: Api
) -> None:
    api.says(pods={"items": [pod("a"), pod("ill", ready=False), pod("goes")]})
    run_module(module, state="remembered")
    leaving = pod("goes", ready=False, deletionTimestamp="2026-01-01T00:00:00Z")
    api.says(pods={"items": [pod("a"), pod("ill", ready=False), leaving, pod("new", ready=False)]})
    proven(run_module, module)


def test_a_gateway_that_answered_before_has_to_answer_again(
    run_module: Run, module: ModuleType, api: Api
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        offered = {"spec": {"ports": [{"port": port, "protocol": "TCP"}, {"port": 1}]}}
        balanced = {**offered, "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}}
        api.says(services={"items": [balanced, offered]})
        run_module(module, state="remembered")
        assert json.loads(module.MEMORY.read_text())["gateways"] == [f"127.0.0.1:{port}"]
    with pytest.raises(ModuleFailed, match=f"127.0.0.1:{port} does not answer"):
        proven(run_module, module)


def test_a_gateway_at_addresses_of_nodes_has_to_answer_there(
    run_module: Run, module: ModuleType, api: Api
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ports = [{"port": port, "protocol": "TCP"}]
        led = {"spec": {"ports": ports, "externalIPs": ["127.0.0.1"]}, "status": {"loadBalancer": {}}}
        api.says(services={"items": [led]})
        run_module(module, state="remembered")
        assert json.loads(module.MEMORY.read_text())["gateways"] == [f"127.0.0.1:{port}"]


def test_an_api_server_that_is_silent_proves_nothing(run_module: Run, module: ModuleType, api: Api) -> None:
    api.is_silent()
    run_module(module, state="remembered")
    with pytest.raises(ModuleFailed, match=r"the API server does not answer: cat: .*: No such file"):
        proven(run_module, module)


def test_all_has_to_be_well_for_a_while(run_module: Run, module: ModuleType) -> None:
    run_module(module, state="remembered")
    begun = time.monotonic()
    proven(run_module, module, timeout=5, settle=1)
    assert time.monotonic() - begun >= 1


def test_a_host_that_is_no_member_is_left_alone(run_module: Run, module: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "state" / "join.finished").rename(tmp_path / "state" / "join.begun")
    for state in ("remembered", "proven"):
        assert run_module(module, state=state)["node"] == ""
    assert not (tmp_path / "log").exists()


def test_a_lease_that_is_renewed_after_the_change_counts(
    run_module: Run, module: ModuleType, api: Api
) -> None:
    run_module(module, state="remembered")
    soon = datetime.fromtimestamp(time.time() + 60, UTC)
    api.says(lease={"spec": {"renewTime": soon.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}})
    proven(run_module, module)
