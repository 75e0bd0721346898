"""The module kubeadm on a control plane that runs, with kubeadm and kubectl that are scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

IDENTITY = {"node": "eu-cp-1"}
TAINTED = 'taints: [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]'
UNTAINT = "taint node eu-cp-1 node-role.kubernetes.io/control-plane:NoSchedule-"


class Module:
    """What Ansible gives the module."""

    check_mode = False

    def __init__(self, config: str, names: list[str] | None = None) -> None:
        self.params: dict[str, Any] = {
            "command": "init",
            "identity": IDENTITY,
            "config": config,
            "files": [],
            "names": names or [],
        }


@pytest.fixture
def kubeadm(
    ansible_module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The module on a host whose control plane was made with another configuration."""
    module = ansible_module("kubeadm")
    monkeypatch.setattr(module, "STATE", tmp_path)
    monkeypatch.setattr(module, "PKI", tmp_path)
    for file in ("apiserver.crt", "apiserver.key"):
        (tmp_path / file).touch()
    (tmp_path / "init.finished").write_text(json.dumps({"identity": IDENTITY, "config": "another"}))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("kubeadm", "kubectl"):
        script = programs / name
        script.write_text(
            f'#!/bin/sh\ncat > /dev/null\necho "{name} $*" >> {tmp_path}/log\n. {tmp_path}/then\n'
        )
        script.chmod(0o755)
    (tmp_path / "then").touch()
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return module


def log(directory: Path) -> list[str]:
    return (directory / "log").read_text().splitlines()


def test_a_control_plane_that_is_to_take_workload_loses_kubeadm_s_taint(
    kubeadm: ModuleType, tmp_path: Path
) -> None:
    with kubeadm.alone() as lock:
        assert kubeadm.member(Module("taints: []"), lock)
    assert log(tmp_path)[-1] == f"kubectl --kubeconfig=/etc/kubernetes/admin.conf {UNTAINT}"


def test_one_that_is_to_take_none_gets_it_back_from_kubeadm(kubeadm: ModuleType, tmp_path: Path) -> None:
    with kubeadm.alone() as lock:
        assert kubeadm.member(Module(TAINTED), lock)
    assert log(tmp_path)[-1] == "kubeadm init phase mark-control-plane --config=/dev/stdin"


@pytest.mark.parametrize(("words", "fails"), [("taint not found", False), ("connection refused", True)])
def test_a_taint_that_is_gone_is_no_error_and_another_refusal_is_one(
    kubeadm: ModuleType, tmp_path: Path, words: str, fails: bool
) -> None:
    (tmp_path / "then").write_text(f'case "$*" in *" taint "*) echo "error: {words}" >&2; exit 1;; esac\n')
    with kubeadm.alone() as lock:
        if fails:
            with pytest.raises(kubeadm.KubeadmError, match=words):
                kubeadm.member(Module("taints: []"), lock)
        else:
            kubeadm.member(Module("taints: []"), lock)
    done = json.loads((tmp_path / "init.finished").read_text())
    assert done["config"] == ("another" if fails else "taints: []")


def test_other_names_of_the_api_server_make_its_certificate_anew(kubeadm: ModuleType, tmp_path: Path) -> None:
    with kubeadm.alone() as lock:
        assert kubeadm.member(Module("other", names=["tower.lab.example.org"]), lock)
    assert not (tmp_path / "apiserver.crt").exists()
    assert not (tmp_path / "apiserver.key").exists()
    assert log(tmp_path)[0] == "kubeadm init phase certs apiserver --config=/dev/stdin"
    assert json.loads((tmp_path / "init.finished").read_text())["names"] == ["tower.lab.example.org"]


def test_the_same_names_leave_the_certificate_alone(kubeadm: ModuleType, tmp_path: Path) -> None:
    with kubeadm.alone() as lock:
        assert kubeadm.member(Module("other"), lock)
    assert (tmp_path / "apiserver.crt").exists()


def test_a_certificate_is_made_before_it_is_recorded(kubeadm: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "then").write_text("exit 1\n")
    with kubeadm.alone() as lock, pytest.raises(kubeadm.KubeadmError):
        kubeadm.member(Module("other", names=["a.example.org"]), lock)
    (tmp_path / "then").write_text("")
    with kubeadm.alone() as lock:
        assert kubeadm.member(Module("other", names=["a.example.org"]), lock)
    assert log(tmp_path).count("kubeadm init phase certs apiserver --config=/dev/stdin") == 2
