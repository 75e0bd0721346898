"""A node whose kubelet goes to another minor version is without pods meanwhile, and comes back."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from access.cluster import Cluster as Client
from playbooks.provider import membership
from playbooks.provider.membership import CORDONED_FOR, Leaving
from playbooks.provider.resources import out_of_service as resources
from playbooks.provider.resources.out_of_service import kubelet_of, out_of_service
from report.errors import CancelledError, OperationsError
from tests.unit.playbooks.provider.test_membership import Cluster, node, pod

pytestmark = pytest.mark.anyio

OLD, NEW = "1.34.9", "1.35.3"


def running(name: str, version: str, **more: Any) -> dict[str, Any]:
    """A node by its kubelet's version."""
    found = node(name, **more)
    found["status"]["nodeInfo"] = {"kubeletVersion": f"v{version}"}
    return found


class Site(Cluster):
    """Nodes w1 and w2 of the old version, and what was said."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.nodes = {name: running(name, OLD) for name in ("w1", "w2")}
        self.nodes["w2"]["status"]["allocatable"] = {"cpu": "4", "memory": "8Gi"}
        self.budgets: list[dict[str, Any]] = []
        self.later: list[dict[str, Any]] | None = None
        """What the budgets are from the second look on, where they are others."""
        self.said: list[str] = []
        self.cancelled = False

    def answer(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        if path == "/api/v1/pods":
            for found in self.pods.values():
                found.setdefault("spec", {})["nodeName"] = "w1"
            return 200, {"items": list(self.pods.values())}
        if path == "/apis/policy/v1/poddisruptionbudgets":
            listed, self.budgets = self.budgets, self.later if self.later is not None else self.budgets
            return 200, {"items": listed}
        return super().answer(method, path, body)

    @asynccontextmanager
    async def out(self, version: str = NEW, seconds: float = 2.0, runtime: str = "") -> AsyncIterator[None]:
        async def warn(text: str) -> None:
            self.said.append(text)

        with Client("eu", self.kubeconfig()) as client:
            leaving = Leaving(client, "w1", say=warn, cancelled=lambda: self.cancelled)
            away = out_of_service(leaving, version, seconds, runtime=runtime, tell=warn, warn=warn)
            async with away:
                self.steps.append("upgraded")
                yield

    @property
    def text(self) -> str:
        return "\n".join(self.said)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(membership, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(resources, "AGAIN_SECONDS", 0.01)
    found = Site(tmp_path)
    yield found
    found.stop()


async def test_it_is_drained_before_and_takes_pods_after(site: Site) -> None:
    site.pods = {"a": pod("a")}
    async with site.out():
        assert site.nodes["w1"]["metadata"]["annotations"] == {CORDONED_FOR: f"Kubernetes {NEW}"}
    assert site.steps == ["cordoned", "evicted a", "upgraded", "uncordoned"]
    assert site.nodes["w1"]["metadata"]["annotations"] == {}


@pytest.mark.parametrize("version", [OLD, "1.34.3"])
async def test_a_patch_release_and_any_other_change_leave_its_pods_there(site: Site, version: str) -> None:
    site.pods = {"a": pod("a")}
    async with site.out(version):
        pass
    assert site.steps == ["upgraded"]


async def test_where_pods_can_go_nowhere_it_is_upgraded_under_them_and_that_is_said(site: Site) -> None:
    del site.nodes["w2"]
    site.pods = {"a": pod("a")}
    async with site.out():
        pass
    assert site.steps == ["upgraded"]
    assert "w1: not drained for Kubernetes 1.35.3, because no other node takes its pods" in site.text


async def test_pods_that_would_be_lost_or_run_nowhere_stay_and_are_named(site: Site) -> None:
    alone = pod("alone")
    alone["metadata"]["ownerReferences"] = []
    bound = pod("bound")
    bound["spec"] = {"nodeSelector": {"disk": "fast"}}
    site.pods = {"a": pod("a"), "alone": alone, "bound": bound}
    async with site.out():
        pass
    assert site.steps == ["cordoned", "evicted a", "upgraded", "uncordoned"]
    assert "shop/alone belongs to nobody who would make it anew" in site.text
    assert "shop/bound can run on no other node" in site.text


async def test_one_that_somebody_else_cordoned_is_drained_and_stays_cordoned(site: Site) -> None:
    site.nodes["w1"]["spec"]["unschedulable"] = True
    site.pods = {"a": pod("a")}
    async with site.out():
        pass
    assert site.steps == ["evicted a", "upgraded"]


async def test_one_that_a_broken_off_run_left_cordoned_comes_back_though_its_kubelet_is_new(
    site: Site,
) -> None:
    site.nodes["w1"] = running("w1", NEW, cordoned=True)
    site.nodes["w1"]["metadata"]["annotations"] = {CORDONED_FOR: f"Kubernetes {NEW}"}
    async with site.out():
        pass
    assert site.steps == ["upgraded", "uncordoned"]


async def test_a_drain_that_is_blocked_takes_back_its_own_cordon_and_upgrades_nothing(site: Site) -> None:
    site.pods, site.protected = {"a": pod("a")}, {"a"}
    with pytest.raises(OperationsError, match="w1: not upgraded, and it takes pods as before") as refused:
        async with site.out(seconds=0.05):
            pass
    assert "disruption budget" in str(refused.value)
    assert site.steps == ["cordoned", "uncordoned"]


def all_of_them(expected: int = 1) -> dict[str, Any]:
    """A budget of all pods, which wants one of them."""
    return {
        "metadata": {"name": "all-of-them", "namespace": "shop"},
        "spec": {"selector": {}},
        "status": {"disruptionsAllowed": 0, "expectedPods": expected, "desiredHealthy": 1},
    }


async def test_a_pod_that_is_just_made_anew_is_waited_for(site: Site) -> None:
    site.pods, site.budgets, site.later = {"a": pod("a")}, [all_of_them()], [all_of_them(2)]
    async with site.out():
        pass
    assert site.steps == ["cordoned", "evicted a", "upgraded", "uncordoned"]


async def test_a_budget_that_never_lets_a_pod_go_is_named_before_the_cordon(site: Site) -> None:
    site.pods, site.budgets = {"a": pod("a")}, [all_of_them()]
    began = time.monotonic()
    with pytest.raises(OperationsError, match="w1: not upgraded, and not cordoned for it: shop/a") as refused:
        async with site.out(seconds=600):
            pass
    assert "the budget shop/all-of-them allows no disruption" in str(refused.value)
    assert site.steps == []
    assert time.monotonic() - began < 60


async def test_what_a_broken_off_run_cordoned_comes_back_where_a_budget_bars_it(site: Site) -> None:
    await test_a_budget_that_never_lets_a_pod_go_is_named_before_the_cordon(site)
    site.nodes["w1"] = running("w1", OLD, cordoned=True)
    site.nodes["w1"]["metadata"]["annotations"] = {CORDONED_FOR: f"Kubernetes {NEW}"}
    with pytest.raises(OperationsError, match="not cordoned for it"):
        async with site.out():
            pass
    assert site.steps == ["uncordoned"]


async def test_a_blocked_drain_of_a_node_that_somebody_cordoned_leaves_it_so(site: Site) -> None:
    site.nodes["w1"]["spec"]["unschedulable"] = True
    site.pods, site.protected = {"a": pod("a")}, {"a"}
    with pytest.raises(OperationsError, match="not drained within"):
        async with site.out(seconds=0.05):
            pass
    assert site.steps == []


async def test_a_drain_that_nobody_wants_any_more_takes_back_its_cordon(site: Site) -> None:
    site.pods, site.protected, site.cancelled = {"a": pod("a")}, {"a"}, True
    with pytest.raises(CancelledError):
        async with site.out():
            pass
    assert site.steps == ["cordoned", "uncordoned"]


async def test_after_an_upgrade_that_failed_it_stays_cordoned_and_that_is_said(site: Site) -> None:
    with pytest.raises(OperationsError, match="kubelet does not start"):
        async with site.out():
            raise OperationsError("kubelet does not start")
    assert site.steps == ["cordoned", "upgraded"]
    assert "w1: stays cordoned until a run ends well" in site.text


async def test_a_host_that_is_no_node_yet_is_left_alone(site: Site) -> None:
    del site.nodes["w1"]
    async with site.out():
        pass
    assert site.steps == ["upgraded"]


async def test_a_host_whose_cluster_does_not_answer_is_changed_without_a_drain(tmp_path: Path) -> None:
    """It may be a new machine, on which the control plane is made next."""
    gone = Site(tmp_path)
    gone.stop()
    async with gone.out():
        pass
    assert gone.steps == ["upgraded"]
    assert "w1: not drained, because its cluster does not answer" in gone.text


async def test_a_cluster_that_has_answered_has_to_answer_afterwards(tmp_path: Path) -> None:
    """Nobody else would see that the node takes pods again."""
    found = Site(tmp_path)
    with pytest.raises(OperationsError):
        async with found.out(OLD):
            found.stop()
    assert found.steps == ["upgraded"]


def test_a_node_that_has_said_no_version_has_none() -> None:
    assert kubelet_of({}) == ""
    assert kubelet_of(running("w1", OLD)) == OLD


def with_containerd(site: Site, version: str) -> None:
    for found in site.nodes.values():
        found["status"]["nodeInfo"]["containerRuntimeVersion"] = f"containerd://{version}"


async def test_it_is_drained_before_another_containerd_comes(site: Site) -> None:
    site.pods = {"a": pod("a")}
    with_containerd(site, "1.6.20~ds1")
    async with site.out(OLD, runtime="2.4.2"):
        assert site.nodes["w1"]["metadata"]["annotations"] == {CORDONED_FOR: "containerd 2.4.2"}
    assert site.steps == ["cordoned", "evicted a", "upgraded", "uncordoned"]


@pytest.mark.parametrize(("has", "runtime"), [("2.4.2", "2.4.2"), ("1.6.20~ds1", "")])
async def test_where_containerd_stays_its_pods_stay(site: Site, has: str, runtime: str) -> None:
    site.pods = {"a": pod("a")}
    with_containerd(site, has)
    async with site.out(OLD, runtime=runtime):
        pass
    assert site.steps == ["upgraded"]


async def test_pods_that_end_with_their_containerd_are_told_of(site: Site) -> None:
    del site.nodes["w2"]
    site.pods = {"a": pod("a")}
    with_containerd(site, "1.6.20~ds1")
    async with site.out(OLD, runtime="2.4.2"):
        pass
    assert "not drained for containerd 2.4.2, because no other node takes its pods: they end" in site.text
