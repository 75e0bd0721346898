"""A node whose machine is lost: proof before, four steps, and nothing of one that is silent for a moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from access import ssh
from access.errors import AccessError, IdentityMismatch, Unanswered
from access.programs import Executed
from report.errors import OperationsError
from runbooks import control_plane
from runbooks import journal as journals
from runbooks.engine import Runner
from runbooks.nodes import dead
from runbooks.nodes.dead import CLEAR, TAINT
from runbooks.nodes.site import NodeSite
from stacks.ledger import Ledger
from stacks.load import Stack
from tests.unit.rehearsal.support import declared, nodes, region

NODE = "eu-worker-4"


class Cluster:
    """A cluster with a node that is silent, and what its controllers do with one out of service."""

    def __init__(self, name: str, *, silent_for: float = 600.0) -> None:
        self.server = "https://eu"
        since = (datetime.now(UTC) - timedelta(seconds=silent_for)).isoformat()
        ready = {"type": "Ready", "status": "Unknown", "lastTransitionTime": since}
        self.node: dict[str, Any] | None = {
            "metadata": {"name": name, "resourceVersion": "7"},
            "spec": {"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]},
            "status": {"conditions": [ready]},
        }
        self.pods = [self._pod("a"), self._pod("b")]
        self.gives_up = True

    def _pod(self, name: str) -> dict[str, Any]:
        owner = {"kind": "ReplicaSet", "name": "web", "controller": True}
        return {
            "metadata": {"name": name, "namespace": "shop", "uid": name, "ownerReferences": [owner]},
            "spec": {"nodeName": NODE, "containers": []},
            "status": {"phase": "Running"},
        }

    def get(self, path: str) -> dict[str, Any] | None:
        if path.startswith("/api/v1/nodes/"):
            return self.node
        if path.startswith("/api/v1/pods"):
            listed = [*self.pods]
            if self.gives_up and self.node and TAINT in self.node["spec"]["taints"]:
                self.pods = self.pods[1:]
            return {"items": listed}
        return {"items": [self.node] if path == "/api/v1/nodes" and self.node else []}

    def patch(self, path: str, change: dict[str, Any]) -> None:
        assert self.node is not None
        assert change["metadata"] == {"resourceVersion": "7"}
        self.node["spec"] |= change["spec"]

    def delete(self, path: str) -> None:
        self.node = None


class Hosts:
    """Machines by ssh: one is silent, and others know the members of etcd."""

    def __init__(self) -> None:
        self.answer: Callable[[], Executed] = self.silent
        self.members = {"eu-cp-1", "eu-cp-2", "eu-cp-3"}
        self.asked: list[str] = []
        self.broken: set[str] = set()

    @staticmethod
    def silent() -> Executed:
        raise Unanswered("no route")

    def run(self, *_: Any, **__: Any) -> Executed:
        return self.answer()

    def ask(self, host: str, connection: object, source: bytes, order: dict[str, Any], **_: Any) -> Any:
        self.asked.append(host)
        assert b"def expel" in source
        if host in self.broken:
            raise Unanswered(f"{host}: no route")
        if order["expel"]:
            self.members.discard(order["name"])
        return {"is_member": order["name"] in self.members}


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    found = Hosts()
    monkeypatch.setattr(ssh, "run", found.run)
    monkeypatch.setattr(ssh, "ask", found.ask)
    monkeypatch.setattr(dead, "login", lambda *_: None)
    monkeypatch.setattr(
        control_plane,
        "control_plane",
        lambda stack, spec: [
            (name, None) for name, node in spec.nodes.items() if node.role == "control-plane"
        ],
    )
    monkeypatch.setattr(dead, "_POLL_SECONDS", 0.01)
    return found


def site(node: str = NODE, *, control_planes: int = 3, accepted: str = "", **more: Any) -> NodeSite:
    its = region(nodes("eu", control_planes=control_planes, workers=2))
    its["cluster"]["apiServerAddress"] = "192.0.2.99"
    stack = Stack("s", declared({"eu": its}), Ledger(), frozenset(), Path("x"))
    cluster: Any = Cluster(node, **more)
    words = frozenset(accepted.split(","))
    return NodeSite(stack, "eu", node, cluster, lambda text: None, accepted=words, seconds=5.0)


def against(of: NodeSite) -> list[str]:
    return [problem.what for problem in CLEAR.preconditions(of) if problem.blocks]


def run(of: NodeSite, directory: Path) -> None:
    with journals.opened(directory) as journal:
        Runner(CLEAR, of, journal, of.tell).begin("r1", {"node": of.node}, "--yes")


def test_a_worker_that_is_lost_makes_room_for_another(hosts: Hosts, tmp_path: Path) -> None:
    lost = site()
    assert against(lost) == []
    assert [*CLEAR.blast(lost).touched] == [
        "pod shop/a is given up",
        "pod shop/b is given up",
        f"node {NODE} of region eu is none any more",
    ]
    run(lost, tmp_path)
    assert lost.cluster.get(lost.path) is None
    assert hosts.asked == [], "no worker is a member of etcd"


def test_a_control_plane_is_taken_out_of_etcd_by_the_others(hosts: Hosts, tmp_path: Path) -> None:
    hosts.broken = {"eu-cp-1"}
    lost = site("eu-cp-2")
    lost.cluster.pods = []  # type: ignore[attr-defined]
    run(lost, tmp_path)
    assert hosts.members == {"eu-cp-1", "eu-cp-3"}
    assert "eu-cp-2" not in hosts.asked


def test_where_no_other_one_can_it_stands_and_says_so(hosts: Hosts, tmp_path: Path) -> None:
    hosts.broken = {"eu-cp-1", "eu-cp-3"}
    lost = site("eu-cp-2")
    lost.cluster.pods = []  # type: ignore[attr-defined]
    with pytest.raises(OperationsError, match="no other control plane of eu can take eu-cp-2 out of etcd"):
        run(lost, tmp_path)
    assert lost.cluster.get(lost.path) is not None


def test_the_only_control_plane_is_not_cleared(hosts: Hosts) -> None:
    (words,) = against(site("eu-cp-1", control_planes=1))
    assert words == "eu-cp-1 is the only control plane of eu: with it, the cluster is lost"


def refuse(error: AccessError) -> Callable[[], Executed]:
    def answer() -> Executed:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda: Executed(0, "", ""), f"{NODE} answers ssh"),
        (refuse(IdentityMismatch("another host key")), "somebody answers at the address"),
        (refuse(AccessError("no such key file")), "cannot be said: no such key file"),
    ],
)
def test_only_silence_is_taken_for_a_loss(hosts: Hosts, answer: Callable[[], Executed], words: str) -> None:
    hosts.answer = answer
    (found,) = against(site())
    assert words in found


def test_another_machine_at_its_address_may_be_so(hosts: Hosts) -> None:
    hosts.answer = refuse(IdentityMismatch("another host key"))
    assert against(site(accepted="another-machine")) == []


def test_a_kubelet_that_says_it_is_ready_or_was_so_a_moment_ago_is_not_lost(hosts: Hosts) -> None:
    (words,) = against(site(silent_for=20.0))
    assert "is not ready for 20 s only" in words
    ready = site()
    node = ready.cluster.get(ready.path)
    assert node is not None
    node["status"]["conditions"][0]["status"] = "True"
    assert against(ready) == [f"the kubelet of {NODE} says that it is ready"]


def test_pods_that_the_cluster_does_not_give_up_are_named_and_nothing_is_removed(
    hosts: Hosts, tmp_path: Path
) -> None:
    lost = site()
    lost.cluster.gives_up = False  # type: ignore[attr-defined]
    lost.seconds = 0.1
    with pytest.raises(OperationsError, match="2 pods are still counted"):
        run(lost, tmp_path)
    assert lost.cluster.get(lost.path) is not None


def test_the_mark_is_taken_back_and_that_of_others_stays(hosts: Hosts) -> None:
    lost = site()
    fence = CLEAR.steps[0]
    before = fence.before(lost)
    fence.do(lost)
    node = lost.cluster.get(lost.path)
    assert node is not None and TAINT in node["spec"]["taints"] and len(node["spec"]["taints"]) == 2
    assert fence.undo is not None
    fence.undo(lost, before)
    assert [taint["key"] for taint in node["spec"]["taints"]] == ["node.kubernetes.io/unreachable"]
