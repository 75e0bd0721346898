"""A worker that is taken out of the declaration leaves its cluster before its host is reset."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from access import kubeconfig as kubeconfigs
from access.errors import Unanswered
from access.ssh import Connection
from playbooks.phase import LOST_HOSTS
from playbooks.provider import membership
from playbooks.provider.fleet import Fleet
from playbooks.provider.membership import Leaving
from playbooks.provider.resources import host_departure
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.host_phase import HostPhase
from playbooks.provider.run.request import RunRequest
from playbooks.provider.runs import Event, Outcome, request_for
from report.errors import CancelledError, OperationsError
from tests.unit.playbooks.provider.fake_api_server import ApiServer
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio

CONNECTION = {"address": "127.0.0.1", "port": 9, "user": "root", "privateKeyFile": "k", "knownHostsFile": "h"}
STATE = {
    "host": "w1",
    "phase": "join",
    "region": "eu",
    "connection": CONNECTION,
    "variables": {},
    "reset_on_delete": True,
}
URN = "urn:pulumi:s::p::crossmesh:hosts:HostPhase::w1.join"


def node(name: str, *, cordoned: bool = False, ready: bool = True, taint: str = "") -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {
            "unschedulable": cordoned,
            "taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": taint}] if taint else [],
        },
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def pod(name: str, *, owner: str = "ReplicaSet", phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    owners = [{"kind": owner, "name": "web", "controller": True}]
    described = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "ownerReferences": owners}
    return {"metadata": {**described, **metadata}, "status": {"phase": phase}}


class Cluster(ApiServer):
    """Nodes, and pods of the node w1, which go at the second look after their eviction."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.nodes = {entry["metadata"]["name"]: entry for entry in (node("w1"), node("w2"))}
        self.pods: dict[str, dict[str, Any]] = {}
        self.protected: set[str] = set()
        self.going: list[str] = []
        """Pods in whose namespace nothing may be asked for; they go by themselves where it is deleted."""
        self.terminating = True
        self.steps: list[str] = []

    def answer(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        if method == "POST" and (match := re.fullmatch(r".*/pods/(.*)/eviction", path)):
            return self._evict(match[1], body or {})
        if path == "/api/v1/pods?fieldSelector=spec.nodeName%3Dw1":
            listed = {"items": list(self.pods.values())}
            self.pods = {
                name: pod for name, pod in self.pods.items() if "deletionTimestamp" not in pod["metadata"]
            }
            return 200, listed
        if path == "/api/v1/namespaces/shop":
            ends = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if self.terminating else {}
            return 200, {"metadata": {"name": "shop", **ends}}
        if path == "/api/v1/nodes":
            return 200, {"items": list(self.nodes.values())}
        name = path.removeprefix("/api/v1/nodes/")
        if name not in self.nodes:
            return 404, {"message": f"nodes {name!r} not found"}
        if method == "PATCH":
            change = body or {}
            self.steps.append("cordoned" if change["spec"]["unschedulable"] else "uncordoned")
            self.nodes[name]["spec"] |= change["spec"]
            own = self.nodes[name]["metadata"].setdefault("annotations", {})
            own |= (change.get("metadata") or {}).get("annotations") or {}
            self.nodes[name]["metadata"]["annotations"] = {
                key: value for key, value in own.items() if value is not None
            }
        if method == "DELETE":
            self.steps.append("deleted")
            del self.nodes[name]
            return 200, {}
        return 200, self.nodes[name]

    def _evict(self, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert body["deleteOptions"]["preconditions"]["uid"] == f"uid-{name}"
        if name in self.going:
            if self.terminating:
                self.pods.pop(name)
            return 403, {"message": "unable to create new content in namespace shop"}
        if name in self.protected:
            return 429, {"message": "Cannot evict pod as it would violate the pod's disruption budget."}
        self.steps.append(f"evicted {name}")
        self.pods[name] = pod(name, deletionTimestamp="2026-01-01T00:00:00Z")
        return 201, {}


@dataclass
class Resets:
    """Takes the place of the runs; `before` happens while the host is reset."""

    steps: list[str]
    cancelled: bool = False
    fails: str = ""
    before: Callable[[], None] = lambda: None
    requests: list[RunRequest] = field(default_factory=list)

    async def run(self, request: RunRequest, _: Callable[[Event], Awaitable[None]]) -> Outcome:
        self.before()
        play = Path(request.playbook).stem
        self.steps.append(play)
        self.requests.append(request)
        failed = "failed" if play == self.fails else "successful"
        return Outcome(failed, "no quorum" if failed == "failed" else "", (), 1, 0.1)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(membership, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(host_departure, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(host_departure, "ANSWER_SECONDS", 0.2)
    server = Cluster(tmp_path)
    yield server
    server.stop()


async def delete(
    cluster: Cluster,
    engine: FakeEngine,
    runs: Resets | None = None,
    *,
    clusters: tuple[str, ...] = ("eu",),
    phase: str = "join",
) -> Resets:
    runs = runs or Resets(cluster.steps)
    context = Context(engine, Fleet(), runs, clusters=set(clusters))  # type: ignore[arg-type]
    inputs = {"kubeconfig": cluster.kubeconfig()}
    await HostPhase().delete(Operation(context, URN, 2), inputs, {**STATE, "phase": phase})
    return runs


async def test_a_worker_is_cordoned_drained_taken_out_and_then_reset(
    cluster: Cluster, engine: FakeEngine
) -> None:
    cluster.pods = {name: pod(name) for name in ("a", "b")}
    runs = await delete(cluster, engine)
    assert cluster.steps == ["cordoned", "evicted a", "evicted b", "deleted", "reset"]
    assert "waiting for 2 pods to go: shop/a (ends), shop/b (ends)" in engine.text("status")
    assert [request.bootstrap_kubeconfig for request in runs.requests] == [None], "nothing joins any more"


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOST_HOSTS, "other, w1")


@pytest.fixture
def listener() -> Iterator[int]:
    """The port of a machine that answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.usefixtures("lost")
async def test_of_a_machine_that_is_lost_nothing_is_reset_once_its_place_is_cleared(
    cluster: Cluster, engine: FakeEngine
) -> None:
    del cluster.nodes["w1"]
    runs = await delete(cluster, engine)
    assert (cluster.steps, runs.requests) == ([], [])
    assert "w1 join: its machine is lost, and nothing was reset there" in engine.text("warning")


@pytest.mark.usefixtures("lost")
async def test_one_that_is_a_node_still_is_not_given_up(cluster: Cluster, engine: FakeEngine) -> None:
    with pytest.raises(OperationsError, match="a node of its cluster still") as refused:
        await delete(cluster, engine)
    assert "clear-lost-node node=w1" in str(refused.value)
    assert cluster.steps == []


@pytest.mark.usefixtures("lost")
async def test_of_a_cluster_that_goes_whole_nobody_is_asked(cluster: Cluster, engine: FakeEngine) -> None:
    runs = await delete(cluster, engine, clusters=())
    assert (cluster.steps, runs.requests) == ([], [])


@pytest.mark.usefixtures("lost")
async def test_a_machine_that_answers_is_not_lost(
    cluster: Cluster, engine: FakeEngine, listener: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STATE, "connection", {**CONNECTION, "port": listener})
    with pytest.raises(OperationsError, match="its sshd answers"):
        await delete(cluster, engine)
    assert cluster.steps == []


async def test_a_cluster_that_was_led_elsewhere_meanwhile_is_asked_there(
    cluster: Cluster, engine: FakeEngine
) -> None:
    """The host was declared last when it was reached at an address that nobody has any more."""
    server = kubeconfigs.read(cluster.kubeconfig()).server.replace("127.0.0.1", "127.0.0.9")
    context = Context(engine, Fleet(), Resets(cluster.steps), clusters={"eu"})  # type: ignore[arg-type]
    now = {"kubeconfig": cluster.kubeconfig()}
    context.ways.saw("eu", "w2", now, address="", carries=False)
    before = {"kubeconfig": kubeconfigs.leading_to(cluster.kubeconfig(), server)}
    await HostPhase().delete(Operation(context, URN, 2), before, STATE)
    assert cluster.steps == ["cordoned", "deleted", "reset"]


async def test_pods_that_belong_to_the_node_or_have_ended_are_left_alone(
    cluster: Cluster, engine: FakeEngine
) -> None:
    cluster.pods = {
        "proxy": pod("proxy", owner="DaemonSet"),
        "static": pod("static", annotations={"kubernetes.io/config.mirror": "x"}),
        "job": pod("job", phase="Succeeded"),
    }
    await delete(cluster, engine)
    assert cluster.steps == ["cordoned", "deleted", "reset"]


async def test_a_disruption_budget_is_respected_and_what_it_keeps_is_named(
    cluster: Cluster, engine: FakeEngine
) -> None:
    cluster.pods, cluster.protected = {"a": pod("a")}, {"a"}
    with pytest.raises(OperationsError, match="not drained within 1 s, it stays a node: shop/a") as refused:
        await delete(cluster, engine)
    assert "violate the pod's disruption budget" in str(refused.value)
    assert "kubectl uncordon w1" in str(refused.value)
    assert cluster.steps == ["cordoned"]
    assert "disruption budget" in engine.text("status")


async def test_pods_of_a_namespace_that_is_being_deleted_go_with_it(
    cluster: Cluster, engine: FakeEngine
) -> None:
    cluster.pods["probe"], cluster.going = pod("probe"), ["probe"]
    await delete(cluster, engine)
    assert cluster.steps == ["cordoned", "deleted", "reset"]


async def test_whoever_may_not_evict_is_told_so(cluster: Cluster, engine: FakeEngine) -> None:
    cluster.pods["probe"], cluster.going, cluster.terminating = pod("probe"), ["probe"], False
    with pytest.raises(OperationsError, match="403"):
        await delete(cluster, engine)
    assert cluster.steps == ["cordoned"]


@pytest.mark.parametrize(
    "other", [node("w2", cordoned=True), node("w2", ready=False), node("w2", taint="NoSchedule"), None]
)
async def test_pods_end_with_the_last_node_that_takes_any(
    cluster: Cluster, engine: FakeEngine, other: dict[str, Any] | None
) -> None:
    cluster.nodes = {"w1": node("w1"), **({"w2": other} if other else {})}
    cluster.pods, cluster.protected = {"a": pod("a")}, {"a"}
    await delete(cluster, engine)
    assert cluster.steps == ["cordoned", "deleted", "reset"]
    assert "w1: no other node takes pods; 1 end with it: shop/a" in engine.text("warning")


async def test_a_node_that_its_kubelet_has_made_again_is_taken_out_again(
    cluster: Cluster, engine: FakeEngine
) -> None:
    await delete(cluster, engine, Resets(cluster.steps, before=lambda: cluster.nodes.update(w1=node("w1"))))
    assert cluster.steps == ["cordoned", "deleted", "reset", "deleted"]
    assert "w1" not in cluster.nodes


async def test_a_node_that_is_gone_already_is_reset(cluster: Cluster, engine: FakeEngine) -> None:
    del cluster.nodes["w1"]
    await delete(cluster, engine)
    assert cluster.steps == ["reset"]


async def test_a_cluster_that_does_not_answer_and_stays_is_no_reason_to_reset(
    cluster: Cluster, engine: FakeEngine
) -> None:
    cluster.stop()
    with pytest.raises(OperationsError, match="w1: it cannot leave its cluster, and was not reset"):
        await delete(cluster, engine)
    assert cluster.steps == []


async def test_a_cluster_that_goes_too_need_not_answer(cluster: Cluster, engine: FakeEngine) -> None:
    cluster.stop()
    await delete(cluster, engine, clusters=("us",))
    assert cluster.steps == ["reset"]
    assert "reset without its cluster" in engine.text("warning")


async def test_a_cancelled_drain_ends(cluster: Cluster, engine: FakeEngine) -> None:
    cluster.pods, cluster.protected = {"a": pod("a")}, {"a"}
    with pytest.raises(CancelledError, match="it stays cordoned"):
        await delete(cluster, engine, Resets(cluster.steps, cancelled=True))


async def test_a_run_knows_the_clusters_that_it_declares(engine: FakeEngine) -> None:
    context = Context(engine, Fleet(), Resets([]))  # type: ignore[arg-type]
    for phase in ("join", "control-plane"):
        assert context.clusters == set()
        inputs = {**STATE, "phase": phase}
        await HostPhase().check(Operation(context, URN), {}, inputs)
    assert context.clusters == {"eu"}


async def test_a_control_plane_leaves_etcd_before_it_leaves_its_cluster_and_is_reset(
    cluster: Cluster, engine: FakeEngine
) -> None:
    runs = await delete(cluster, engine, phase="control-plane")
    assert cluster.steps == ["cordoned", "withdraw", "deleted", "reset"]
    assert [request.bootstrap_kubeconfig for request in runs.requests] == [None, None]


async def test_a_control_plane_that_etcd_cannot_spare_stays_a_node(
    cluster: Cluster, engine: FakeEngine
) -> None:
    runs = Resets(cluster.steps, fails="withdraw")
    with pytest.raises(
        OperationsError, match="no quorum; w1 was not taken out of etcd, and stays"
    ) as refused:
        await delete(cluster, engine, runs, phase="control-plane")
    assert cluster.steps == ["cordoned", "withdraw"]
    assert "kubectl uncordon w1" in str(refused.value)


async def test_the_last_control_plane_of_a_cluster_is_reset_and_nobody_is_asked(
    cluster: Cluster, engine: FakeEngine
) -> None:
    cluster.stop()
    await delete(cluster, engine, clusters=("us",), phase="control-plane")
    assert cluster.steps == ["reset"]


@pytest.mark.parametrize(
    ("variables", "is_made", "tokenless"),
    [
        ({}, False, False),
        ({"control_plane_initialises": False}, False, False),
        ({"control_plane_initialises": False}, True, True),
        ({"control_plane_initialises": True}, False, True),
    ],
)
def test_a_control_plane_asks_for_a_token_and_may_go_on_without_it_where_it_makes_or_is_the_cluster(
    variables: dict[str, Any], is_made: bool, tokenless: bool
) -> None:
    inputs = {**STATE, "phase": "control-plane", "variables": variables, "kubeconfig": "k"}
    request = request_for(inputs, Connection.of(CONNECTION, None), 1, is_made=is_made)
    assert request.bootstrap_kubeconfig == "k"
    assert request.tokenless == tokenless
    worker = request_for({**inputs, "phase": "join"}, Connection.of(CONNECTION, None), 1, is_made=is_made)
    assert not worker.tokenless


async def test_an_api_that_is_away_for_a_moment_is_asked_again(
    cluster: Cluster, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address passes on to another control plane while a node leaves."""
    silent = iter([True, True, False, True])

    async def is_member(leaving: Leaving) -> bool:
        if next(silent, False):
            raise Unanswered("https://192.0.2.100:6443 does not answer")
        return True

    monkeypatch.setattr(Leaving, "is_member", is_member)
    monkeypatch.setattr(Leaving, "remove", lambda leaving: asyncio.to_thread(cluster.steps.append, "deleted"))
    await delete(cluster, engine, phase="control-plane")
    assert cluster.steps[:2] == ["cordoned", "withdraw"]
    assert "does not answer" in engine.text("status")


async def test_of_two_control_planes_one_leaves_after_the_other(cluster: Cluster, engine: FakeEngine) -> None:
    """The engine brings both at once."""
    cluster.nodes["w0"] = node("w0")
    context = Context(engine, Fleet(), Resets(cluster.steps), clusters={"eu"})  # type: ignore[arg-type]
    inputs = {"kubeconfig": cluster.kubeconfig()}
    await asyncio.gather(
        *(
            HostPhase().delete(
                Operation(context, URN, 2), inputs, {**STATE, "phase": "control-plane", "host": host}
            )
            for host in ("w1", "w0")
        )
    )
    assert cluster.steps == ["cordoned", "withdraw", "deleted", "reset"] * 2
