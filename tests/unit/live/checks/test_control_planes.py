from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from access import ssh
from access.programs import Executed
from live.checks import control_planes
from live.checks.control_planes import PARTS
from live.doctor.model import Finding, NotMeasurable
from report.model import Status
from tests.unit.live.checks.test_etcd import three
from tests.unit.operations.support import make_platform, run

WELL = "".join(f"declared {part}\nrunning {part}\n" for part in PARTS) + "data\nasked\n"


def found(monkeypatch: pytest.MonkeyPatch, answer: Executed) -> Finding:
    monkeypatch.setattr(ssh, "run", lambda host, connection, command: answer)
    platform = make_platform()
    node = platform.stack.environment.regions["eu"].nodes["eu-cp-1"]
    return run(control_planes.check_control_plane, platform, "eu", "eu-cp-1", node)


def test_there_is_one_for_each_control_plane_node_and_none_for_workers() -> None:
    ids = [check.id for check in control_planes.checks(make_platform())]
    assert ids == ["control-plane/eu-cp-1", "control-plane/us-cp-1"]


def test_a_control_plane_of_which_each_part_runs_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = found(monkeypatch, Executed(0, WELL, ""))
    assert finding.status is Status.PASS
    assert finding.measured == "4 of 4 parts run"


@pytest.mark.parametrize(
    ("gone", "words", "fix", "runbook"),
    [
        (
            ["declared kube-apiserver\n", "running kube-apiserver\n"],
            "kube-apiserver does not run on eu-cp-1: its manifest "
            "/etc/kubernetes/manifests/kube-apiserver.yaml is not there",
            "crossmesh runbook resume",
            "",
        ),
        (
            ["declared etcd\n"],
            "etcd still runs, but not for long on eu-cp-1: its manifest",
            "Put it back",
            "",
        ),
        (
            ["running kube-scheduler\n"],
            "kube-scheduler does not run on eu-cp-1, though its manifest is there",
            "/var/log/pods/kube-system_kube-scheduler-eu-cp-1_*",
            "",
        ),
        (
            ["data\n", "running etcd\n"],
            "etcd on eu-cp-1 has no data: there is no /var/lib/etcd/member; etcd does not run",
            "crossmesh runbook show restore-etcd",
            "restore-etcd region=eu backup=PATH",
        ),
    ],
)
def test_a_part_that_does_not_run_is_named_with_why(
    monkeypatch: pytest.MonkeyPatch, gone: list[str], words: str, fix: str, runbook: str
) -> None:
    said = WELL
    for line in gone:
        assert line in said
        said = said.replace(line, "")
    finding = found(monkeypatch, Executed(0, said, ""))
    assert finding.status is Status.FAIL
    assert finding.message.startswith(words)
    assert fix in finding.fix
    assert finding.runbook == runbook


def test_one_of_several_whose_etcd_does_not_run_joins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    said = WELL.replace("running etcd\n", "")
    platform = three()
    monkeypatch.setattr(ssh, "run", lambda host, connection, command: Executed(0, said, ""))
    node = platform.stack.environment.regions["eu"].nodes["eu-cp-2"]
    finding = run(control_planes.check_control_plane, platform, "eu", "eu-cp-2", node)
    assert finding.runbook == "renew-etcd-member node=eu-cp-2"
    assert f"`crossmesh runbook run {finding.runbook}`" in finding.fix


def test_etcd_is_named_before_what_rests_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said = WELL.replace("running etcd\n", "").replace("running kube-apiserver\n", "")
    assert found(monkeypatch, Executed(0, said, "")).message.startswith("etcd does not run")


@pytest.mark.parametrize("answer", [Executed(2, "declared etcd\n", "sh: oops"), Executed(1, "", "sudo: no")])
def test_an_answer_that_was_cut_off_is_no_failure(monkeypatch: pytest.MonkeyPatch, answer: Executed) -> None:
    with pytest.raises(NotMeasurable, match=r"oops|sudo"):
        found(monkeypatch, answer)


def test_the_question_is_answered_by_a_shell(tmp_path: Path) -> None:
    """Of a process by the name that the kernel keeps, which is cut off."""
    program = tmp_path / "kube-controller-manager"
    program.symlink_to("/bin/sleep")
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "kube-scheduler.yaml").touch()
    script = control_planes.question().replace(control_planes.MANIFESTS, str(manifests))
    running: Any
    with subprocess.Popen([program, "60"]) as running:
        try:
            said = subprocess.run(
                ["sh", "-c", script.replace(control_planes.DATA, str(tmp_path))],
                capture_output=True,
                text=True,
                check=True,
                timeout=30,
            ).stdout
        finally:
            running.kill()
    there = control_planes.read(said)
    assert there.declared == {"kube-scheduler"}
    assert "kube-controller-manager" in there.running
    assert there.data and said.endswith("asked\n")
