"""What would stand in the way of a drain, from what an API server lists."""

from __future__ import annotations

from typing import Any

import pytest

from playbooks.provider import proof
from playbooks.provider.proof import Live

Object = dict[str, Any]
READY = [{"type": "Ready", "status": "True"}]


def node(name: str, cpu: str = "4", memory: str = "8Gi", **more: Any) -> Object:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **more.pop("labels", {})}},
        "spec": more.pop("spec", {}),
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": more.pop("pods", "110")},
            "conditions": more.pop("conditions", READY),
        },
    }


def pod(
    name: str, on: str = "a", owner: tuple[str, str] | None = ("ReplicaSet", "web"), **spec: Any
) -> Object:
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    requests = spec.pop("requests", {})
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "labels": spec.pop("labels", {"app": "web"}),
            "ownerReferences": owners,
            "annotations": spec.pop("annotations", {}),
        },
        "spec": {"nodeName": on, "containers": [{"resources": {"requests": requests}}], **spec},
        "status": {"phase": spec.pop("phase", "Running")},
    }


def budget(allowed: int, name: str = "web") -> Object:
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {"disruptionsAllowed": allowed, "currentHealthy": 2, "desiredHealthy": 2},
    }


def found(live: Live) -> list[str]:
    return [problem.what for problem in proof.problems(live, "a") if problem.blocks]


def live(pods: list[Object], nodes: list[Object] | None = None, **more: Any) -> Live:
    return Live(nodes or [node("a"), node("b")], pods, more.pop("budgets", []), **more)


def test_nothing_stands_against_pods_with_room_elsewhere() -> None:
    assert found(live([pod("web-1", requests={"cpu": "500m", "memory": "1Gi"})])) == []


def test_pods_of_the_node_itself_do_not_move() -> None:
    own = [
        pod("agent", owner=("DaemonSet", "agent")),
        pod("static", owner=("Node", "a"), annotations={"kubernetes.io/config.mirror": "x"}),
        pod("job", owner=None, phase="Succeeded"),
    ]
    own[2]["status"]["phase"] = "Succeeded"
    assert proof.movable(live(own), "a") == []


def test_a_budget_that_allows_none_blocks_and_cannot_be_accepted() -> None:
    (problem,) = proof.problems(live([pod("web-1")], budgets=[budget(0)]), "a")
    assert problem.blocks
    assert problem.kind == ""
    assert problem.what == (
        "shop/web-1 may not be evicted: the budget shop/web allows no disruption now, "
        "2 of at least 2 pods are healthy"
    )
    assert found(live([pod("web-1")], budgets=[budget(1)])) == []


def test_two_budgets_over_one_pod_are_named() -> None:
    (what,) = found(live([pod("web-1")], budgets=[budget(1), budget(1, "other")]))
    assert "several disruption budgets (shop/other, shop/web)" in what


def wanting(healthy: int, expected: int, **spec: Any) -> Object:
    made = budget(0)
    made["spec"] |= spec
    made["status"] |= {"desiredHealthy": healthy, "expectedPods": expected}
    return made


@pytest.mark.parametrize(
    ("budgets", "ready", "lasts"),
    [
        ([wanting(2, 2)], True, True),
        ([wanting(1, 2)], True, False),
        ([budget(1), budget(1, "other")], True, True),
        # It has said nothing yet.
        ([wanting(0, 0)], True, False),
        ([wanting(2, 2, unhealthyPodEvictionPolicy="AlwaysAllow")], True, True),
        ([wanting(2, 2, unhealthyPodEvictionPolicy="AlwaysAllow")], False, False),
    ],
)
def test_what_no_waiting_mends_is_told_apart(budgets: list[Object], ready: bool, lasts: bool) -> None:
    one = pod("web-1")
    one["status"]["conditions"] = READY if ready else []
    told = proof.lasting(live([one], budgets=budgets), "a")
    assert [problem.about for problem in told] == (["shop/web-1"] if lasts else [])


def test_a_budget_of_another_namespace_or_of_other_labels_says_nothing() -> None:
    other = budget(0)
    other["metadata"]["namespace"] = "bank"
    unlike = budget(0)
    unlike["spec"]["selector"] = {
        "matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]
    }
    assert found(live([pod("web-1")], budgets=[other, unlike])) == []


def test_room_is_what_is_left_of_what_others_ask_for() -> None:
    there = [pod("big", on="b", requests={"cpu": "3500m"})]
    moving = [pod("web-1", requests={"cpu": "400m"}), pod("web-2", requests={"cpu": "400m"})]
    (what,) = found(live([*there, *moving]))
    assert "has no room elsewhere: it asks for cpu 400m, memory 0Mi, and b has less" in what
    assert found(live([*there, moving[0]])) == []


def test_a_pod_that_has_ended_takes_no_room() -> None:
    there = pod("done", on="b", requests={"cpu": "4"})
    there["status"]["phase"] = "Failed"
    assert found(live([there, pod("web-1", requests={"cpu": "2"})])) == []


def test_the_number_of_pods_counts_too() -> None:
    (what,) = found(live([pod("x", on="b"), pod("web-1")], [node("a"), node("b", pods="1")]))
    assert "has no room elsewhere" in what


def test_initialisation_asks_for_its_largest_and_sidecars_for_all_time() -> None:
    starting = pod("web-1", requests={"memory": "1Gi"})
    starting["spec"]["initContainers"] = [
        {"resources": {"requests": {"memory": "7Gi"}}},
        {"restartPolicy": "Always", "resources": {"requests": {"memory": "2Gi"}}},
    ]
    assert found(live([starting], [node("a"), node("b", memory="7Gi")])) == []
    (what,) = found(live([starting], [node("a"), node("b", memory="6Gi")]))
    assert "memory 7168Mi" in what


@pytest.mark.parametrize(
    "other",
    [
        node("b", spec={"unschedulable": True}),
        node("b", conditions=[{"type": "Ready", "status": "Unknown"}]),
        node("b", spec={"taints": [{"key": "role", "value": "db", "effect": "NoSchedule"}]}),
        node("b", spec={"taints": [{"key": "role", "effect": "NoExecute"}]}),
    ],
    ids=["cordoned", "not ready", "tainted", "tainted at once"],
)
def test_a_node_that_takes_no_such_pod_is_no_place(other: Object) -> None:
    (what,) = found(live([pod("web-1")], [node("a"), other]))
    assert "can run on no other node" in what


def test_a_pod_that_tolerates_the_taint_has_a_place() -> None:
    tainted = node("b", spec={"taints": [{"key": "role", "value": "db", "effect": "NoSchedule"}]})
    for toleration in (
        {"key": "role", "operator": "Exists"},
        {"key": "role", "value": "db", "effect": "NoSchedule"},
        {"operator": "Exists"},
    ):
        assert found(live([pod("web-1", tolerations=[toleration])], [node("a"), tainted])) == []
    wrong = {"key": "role", "value": "web"}
    assert found(live([pod("web-1", tolerations=[wrong])], [node("a"), tainted]))


def test_selectors_and_required_affinity_decide_about_places() -> None:
    nodes = [node("a"), node("b", labels={"disk": "ssd", "size": "3"})]

    def required(**expression: Any) -> Object:
        term = {"matchExpressions": [expression]}
        rule = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        return {"nodeAffinity": rule}

    fits = [
        {"nodeSelector": {"disk": "ssd"}},
        {"affinity": required(key="disk", operator="In", values=["ssd"])},
        {"affinity": required(key="size", operator="Gt", values=["2"])},
        {"affinity": required(key="gpu", operator="DoesNotExist")},
    ]
    bars = [
        {"nodeSelector": {"disk": "hdd"}},
        {"affinity": required(key="disk", operator="NotIn", values=["ssd"])},
        {"affinity": required(key="size", operator="Lt", values=["2"])},
        {"affinity": required(key="gpu", operator="Exists")},
    ]
    for spec in fits:
        assert found(live([pod("web-1", **spec)], nodes)) == []
    for spec in bars:
        assert found(live([pod("web-1", **spec)], nodes))


def test_a_pod_that_nobody_makes_anew_can_be_accepted() -> None:
    (problem,) = proof.problems(live([pod("alone", owner=None)]), "a")
    assert (problem.blocks, problem.kind) == (True, proof.UNMANAGED)


def test_data_that_lies_on_the_node_alone_is_named() -> None:
    claim = {"metadata": {"name": "data", "namespace": "shop"}, "spec": {"volumeName": "pv-1"}}
    volume = {
        "metadata": {"name": "pv-1"},
        "spec": {
            "local": {"path": "/data"},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["a"]}
                            ]
                        }
                    ]
                }
            },
        },
    }
    claiming = pod("db-0", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}])
    (what,) = found(live([claiming], volumes=[volume], claims=[claim]))
    assert "shop/db-0, volume data: its data lies on this node alone (pv-1)" in what
    everywhere = {"metadata": {"name": "pv-1"}, "spec": {"nfs": {"server": "x", "path": "/"}}}
    assert found(live([claiming], volumes=[everywhere], claims=[claim])) == []


def test_scratch_space_is_told_and_that_of_sidecars_is_not() -> None:
    scratch = pod(
        "web-1", volumes=[{"name": "cache", "emptyDir": {}}, {"name": "istio-data", "emptyDir": {}}]
    )
    problems = proof.problems(live([scratch]), "a")
    assert [(problem.blocks, problem.what) for problem in problems] == [
        (False, "shop/web-1, volume cache: an emptyDir, whose content ends with the pod")
    ]


def test_the_only_replica_is_told() -> None:
    owners = {("ReplicaSet", "shop", "web"): {"spec": {"replicas": 1}}}
    (problem,) = proof.problems(live([pod("web-1")], owners=owners), "a")
    assert not problem.blocks
    assert "is the only one of its ReplicaSet web" in problem.what
