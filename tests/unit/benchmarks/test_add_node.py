"""The parts of the benchmark of adding a node that need no machines."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from benchmarks import add_node
from benchmarks.add_node import Round, changed_hosts, claims, environment, measure, rounds, summed, takes_pods
from playbooks.tokens import HOST_PHASE
from stacks.ledger import Ledger, assign
from stacks.model import Environment
from tests.lab.site import ROOT

REFERENCE = ROOT / "stacks" / "Pulumi.lab.yaml"


def test_a_worker_is_measured_at_each_size_and_stays_for_the_next() -> None:
    assert rounds((1, 3, 5)) == [
        Round(1, (), "eu-worker-1"),
        Round(3, ("eu-worker-2",), "eu-worker-3"),
        Round(5, ("eu-worker-4",), "eu-worker-5"),
    ]
    assert add_node.machines((1, 3)) == ["eu-cp-1", "eu-worker-1", "eu-worker-2", "eu-worker-3"]


@pytest.mark.parametrize("sizes", [(0,), (1, 1), (3, 2)])
def test_sizes_that_do_not_grow_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="larger by two or more"):
        rounds(sizes)


@pytest.mark.parametrize("nodes", [["eu-cp-1"], add_node.machines(add_node.SIZES)])
def test_every_size_is_a_valid_declaration(nodes: list[str]) -> None:
    reference = yaml.safe_load(REFERENCE.read_text())["config"]["crossmesh:environment"]
    addresses = {name: f"10.101.1.{number}" for number, name in enumerate(nodes, 11)}
    declared = Environment.model_validate(environment(reference, addresses, nodes))
    cluster = declared.regions["eu"].cluster
    assert cluster.kind == "bareMetal"
    assert list(cluster.nodes) == nodes
    assert cluster.nodes["eu-cp-1"].takes_workload
    assert assign(declared, Ledger()).nodes["eu"].keys() == set(nodes)
    assert "us" in reference["regions"], "the reference is left as it is"


def event(host: str, phase: str, op: str, token: str = HOST_PHASE) -> dict[str, Any]:
    urn = f"urn:pulumi:s::crossmesh::{token}::{host}.{phase}"
    state = {"inputs": {"host": host, "phase": phase}}
    return {"resourcePreEvent": {"metadata": {"op": op, "urn": urn, "new": state}}}


def test_hosts_that_an_up_changes_are_those_with_a_phase_that_is_run() -> None:
    events = [
        event("w1", "prepare", "create"),
        event("w1", "join", "create"),
        event("cp", "control-plane", "same"),
        event("w2", "tunnel", "update"),
        event("x", "y", "create", "kubernetes:core/v1:ConfigMap"),
        {"summaryEvent": {}},
    ]
    assert changed_hosts(events) == {"w1": ["join", "prepare"], "w2": ["tunnel"]}


def test_several_runs_are_told_by_their_median_and_by_all_hosts_of_any() -> None:
    runs = [
        {"seconds": seconds, "readySeconds": seconds + 1, "hosts": hosts, "logins": {"w": 3, **logins}}
        for seconds, hosts, logins in ((30.0, ["w"], {}), (34.0, ["cp", "w"], {"cp": 1}), (90.0, ["w"], {}))
    ]
    assert summed(runs) == {
        "seconds": 34.0,
        "readySeconds": 35.0,
        "hosts": ["cp", "w"],
        "logins": {"cp": 1, "w": 3},
        "runs": [30.0, 34.0, 90.0],
    }


def size(seconds: float, full: float = 80.0, hosts: tuple[str, ...] = ("w",), logins: int = 2) -> Any:
    reached = {f"host-{number}": 1 for number in range(logins)}
    return {
        "worker": "w",
        "full": {"seconds": full},
        "warm": {"seconds": seconds, "hosts": list(hosts), "logins": reached},
    }


def test_all_claims_hold_where_time_and_hosts_stay() -> None:
    assert all(claims([size(30), size(31), size(33)]).values())


@pytest.mark.parametrize(
    ("last", "broken"),
    [
        (size(46, full=200), {"timeDoesNotGrow", "withinTheBound"}),
        (size(41, full=80), {"atMostHalfOfAFullOne"}),
        (size(30, hosts=("cp", "w")), {"onlyTheNewHostIsChanged"}),
        (size(30, logins=4), {"noMoreHostsAreReached"}),
    ],
)
def test_a_claim_that_does_not_hold_is_told(last: Any, broken: set[str]) -> None:
    found = claims([size(30), last])
    assert {name for name, holds in found.items() if not holds} == broken


def test_a_node_takes_pods_once_it_is_ready_and_nothing_bars_them() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert takes_pods({"status": ready, "spec": {}})
    assert not takes_pods(None)
    assert not takes_pods({"spec": {}})
    assert not takes_pods({"status": ready, "spec": {"unschedulable": True}})
    assert not takes_pods({"status": ready, "spec": {"taints": [{"effect": "NoExecute"}]}})


def test_at_each_size_a_machine_comes_in_full_and_then_leaves_and_comes_back() -> None:
    said: list[str] = []

    class Grown:
        def add(self, name: str) -> dict[str, Any]:
            said.append(f"+{name[-1]}")
            return {"seconds": 30.0, "readySeconds": 31.0, "hosts": [name], "logins": {name: 3}}

        def leave(self, name: str) -> None:
            said.append(f"-{name[-1]}")

    found = list(measure(Grown(), (1, 3), runs=2))  # type: ignore[arg-type]
    assert said == ["+1", "-1", "+1", "-1", "+1", "+2", "+3", "-3", "+3", "-3", "+3"]
    assert [each["size"] for each in found] == [1, 3]
    assert all(claims([{**each, "full": {"seconds": 61.0}} for each in found]).values())
