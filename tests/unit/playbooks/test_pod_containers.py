"""Containers of pods end before the runtime under them goes, and come back where it does not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.crossmesh.nodes.plugins.module_utils import pod_containers
from ansible_collections.crossmesh.nodes.plugins.module_utils.pod_containers import PodsError

from tests.unit.playbooks.conftest import ModuleFailed

TERM, KILL = "SIGTERM", "SIGKILL"


class Host:
    """Containers, each with the signal at which it ends; none for one that never does."""

    def __init__(self, **containers: str) -> None:
        self.there = containers
        self.done: list[str] = []
        self.broken = ""

    def containers(self) -> dict[str, int]:
        return {"moby": 1, **({"k8s.io": len(self.there)} if self.there else {})}

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        words = " ".join(command)
        self.done.append(words.replace("ctr --namespace=k8s.io tasks ", ""))
        if self.broken and words.endswith(self.broken):
            return subprocess.CompletedProcess(command, 1, "", "no")
        if words.endswith("list --quiet"):
            return subprocess.CompletedProcess(command, 0, "\n".join(self.there), "")
        if " kill " in words:
            signal, name = command[-2].partition("=")[2], command[-1]
            if self.there.get(name) == signal:
                del self.there[name]
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(a=TERM, b=KILL)
    monkeypatch.setattr(pod_containers, "run", found.run)
    monkeypatch.setattr(pod_containers, "containers", found.containers)
    monkeypatch.setattr(pod_containers, "GRACE_SECONDS", 0.02)
    monkeypatch.setattr(pod_containers, "KILL_SECONDS", 0.02)
    monkeypatch.setattr(pod_containers, "_POLL", 0.01)
    return found


STOPPED, STARTED = "systemctl stop kubelet.service", "systemctl start kubelet.service"


def test_kubelet_is_stopped_first_and_who_does_not_hear_is_killed(host: Host) -> None:
    pod_containers.end()
    assert host.done == [
        STOPPED,
        "systemctl start containerd.service",
        "list --quiet",
        "kill --signal=SIGTERM a",
        "kill --signal=SIGTERM b",
        "list --quiet",
        "kill --signal=SIGKILL b",
    ]
    assert not pod_containers.are_there()


def test_where_none_run_only_kubelet_is_stopped(host: Host) -> None:
    host.there = {}
    pod_containers.end()
    assert host.done == [STOPPED]


def test_what_does_not_end_is_told_and_kubelet_started_again(host: Host) -> None:
    host.there["c"] = ""
    with pytest.raises(PodsError, match="1 containers of pods do not end"):
        pod_containers.end()
    assert host.done[-1] == STARTED


@pytest.mark.parametrize("broken", ["start containerd.service", "list --quiet"])
def test_where_containerd_does_not_answer_kubelet_is_started_again(host: Host, broken: str) -> None:
    host.broken = broken
    with pytest.raises(PodsError, match=f"{broken} ended with 1: no"):
        pod_containers.end()
    assert host.done[-1] == STARTED


PLANNED = {
    "installs": {"containerd.io": ["", "2.4.2-1"]},
    "removes": ["containerd", "runc"],
    "held": [],
    "there": {},
    "halved": {},
    "carrying": ["containerd", "runc"],
    "error": "",
}
ASKED: dict[str, Any] = {
    "names": ["containerd.io=2.4.2-*"],
    "replaceable": ["containerd", "runc"],
    "ends_pods": True,
}


def packages(
    host: Host, ansible_module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, fails: str = ""
) -> Any:
    """The module, with an apt that fails where it is told words that have `fails` among them."""
    module = ansible_module("packages")

    def apt(*command: str, **more: Any) -> Any:
        words = " ".join(command)
        what = next((word for word in ("update", "--download-only") if word in words), "install")
        host.done.append(what)
        return subprocess.CompletedProcess(command, int(what == fails), "", "apt's words")

    monkeypatch.setattr(module, "run", apt)
    monkeypatch.setattr(module, "simulated", lambda names: PLANNED)
    return module


RunModule = Callable[..., dict[str, Any]]


def test_packages_are_there_before_pods_end(
    host: Host,
    ansible_module: Callable[[str], Any],
    run_module: RunModule,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = run_module(packages(host, ansible_module, monkeypatch), **ASKED)
    assert result["removed"] == ["containerd", "runc"]
    assert host.done[:3] == ["update", "--download-only", STOPPED]
    assert host.done[-1] == "install"
    assert STARTED not in host.done, "with its configuration, that is"


@pytest.mark.parametrize(("fails", "ended"), [("--download-only", False), ("install", True)])
def test_where_apt_fails_pods_are_there_again(
    host: Host,
    ansible_module: Callable[[str], Any],
    run_module: RunModule,
    monkeypatch: pytest.MonkeyPatch,
    fails: str,
    ended: bool,
) -> None:
    with pytest.raises(ModuleFailed, match="apt's words"):
        run_module(packages(host, ansible_module, monkeypatch, fails), **ASKED)
    assert (STOPPED in host.done) is ended
    assert (host.done[-1] == STARTED) is ended
