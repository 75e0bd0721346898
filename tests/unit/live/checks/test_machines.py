from __future__ import annotations

from dataclasses import replace

import pytest

from live.checks import machines
from report.model import Status
from tests.unit.operations.support import (
    Answers,
    make_platform,
    node,
    run,
)

NODES = [node("eu-cp-1", "10.101.1.11"), node("eu-worker-1", "10.101.1.12")]


def test_declared_nodes_that_are_ready_are_ok() -> None:
    finding = run(machines.check_nodes, make_platform({"eu": Answers(nodes=NODES)}), "eu")
    assert finding.status is Status.PASS
    assert finding.measured == "2 of 2 Ready"


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (NODES[:1], "eu-worker-1 has not joined"),
        ([NODES[0], node("eu-worker-1", "10.101.1.12", ready="False", message="cni gone")], "cni gone"),
        ([NODES[0], node("eu-worker-1", "10.101.1.12", ready="Unknown")], "not been heard of"),
        ([*NODES, node("stranger", "10.101.1.99")], "stranger is not declared"),
        ([NODES[0], node("eu-worker-1", "10.101.1.77")], "10.101.1.77"),
    ],
)
def test_a_node_that_is_not_as_declared_says_how(listed: list[object], words: str) -> None:
    finding = run(machines.check_nodes, make_platform({"eu": Answers(nodes=listed)}), "eu")  # type: ignore[arg-type]
    assert finding.status is Status.FAIL
    assert words in finding.message
    assert finding.fix


def test_nodes_run_the_containerd_that_is_declared_and_one_that_does_not_is_named() -> None:
    listed = [
        node("eu-cp-1", "10.101.1.11", runtime="containerd://2.4.2"),
        node("eu-worker-1", "10.101.1.12", runtime="containerd://1.6.20~ds1"),
    ]
    platform = make_platform({"eu": Answers(nodes=listed)})
    assert not [check for check in machines.checks(platform) if check.id.startswith("containerd/")]
    environment = platform.stack.environment
    versions = environment.versions.model_copy(update={"containerd": "2.4.2"})
    stack = replace(platform.stack, environment=environment.model_copy(update={"versions": versions}))
    declared = replace(platform, stack=stack)
    assert [check.id for check in machines.checks(declared) if check.id.startswith("containerd/")]
    finding = run(machines.check_containerd, declared, "eu")
    assert finding.status is Status.FAIL
    assert "node eu-worker-1 runs containerd://1.6.20~ds1, declared is containerd 2.4.2" in finding.message
    assert "eu-cp-1" not in finding.message
    listed[1] = node("eu-worker-1", "10.101.1.12", runtime="containerd://v2.4.2")
    assert run(machines.check_containerd, declared, "eu").status is Status.PASS


def changed(name: str = "eu-worker-1", **status: object) -> list[object]:
    return [NODES[0], node(name, "10.101.1.12", **status)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("listed", "status", "words"),
    [
        (NODES, Status.PASS, ""),
        (NODES[:1], Status.FAIL, "node eu-worker-1 has not joined"),
        (changed(ready="False", message="cni gone"), Status.FAIL, "cni gone"),
        (changed(ready="Unknown"), Status.FAIL, "its kubelet has not been heard of"),
    ],
)
def test_a_node_is_judged_by_itself(listed: list[object], status: Status, words: str) -> None:
    platform = make_platform({"eu": Answers(nodes=listed)})  # type: ignore[arg-type]
    finding = run(machines.check_kubelet, platform, "eu", "eu-worker-1")
    assert finding.status is status
    assert words in finding.message
    assert run(machines.check_kubelet, platform, "eu", "eu-cp-1").status is Status.PASS


def test_a_region_has_room_while_one_node_for_workload_takes_pods() -> None:
    cordoned = node("eu-worker-1", "10.101.1.12")
    cordoned.spec.unschedulable = True
    for listed, status, words, runbook in (
        (NODES, Status.PASS, "", ""),
        ([NODES[0], cordoned], Status.FAIL, "node eu-worker-1 is cordoned", "return-node node=eu-worker-1"),
        (changed(ready="False"), Status.FAIL, "no node of eu that takes workload is Ready", ""),
        # A control plane takes none.
        (NODES[:1], Status.FAIL, "no node of eu that takes workload is Ready", ""),
    ):
        platform = make_platform({"eu": Answers(nodes=listed)})  # type: ignore[arg-type]
        finding = run(machines.check_schedulable, platform, "eu")
        assert (finding.status, finding.runbook) == (status, runbook)
        assert words in finding.message


def test_a_cordoned_node_is_found() -> None:
    cordoned = node("eu-worker-1", "10.101.1.12")
    cordoned.spec.unschedulable = True
    finding = run(machines.check_nodes, make_platform({"eu": Answers(nodes=[NODES[0], cordoned])}), "eu")
    assert "cordoned" in finding.message
