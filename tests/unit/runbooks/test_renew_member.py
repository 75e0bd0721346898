"""One member of etcd made anew: on a host that is a directory, with others that know who the members are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from access import ssh
from access.errors import Unanswered
from access.programs import Executed
from playbooks.work.clusters import ETCD_LIBRARY
from report.errors import OperationsError
from runbooks import control_plane
from runbooks import journal as journals
from runbooks.engine import Runner
from runbooks.etcd import member
from runbooks.etcd.member import MEMBER
from runbooks.nodes.site import NodeSite
from stacks.ledger import Ledger
from stacks.load import Stack
from tests.unit.rehearsal.support import declared, nodes, region

NODE, OTHERS = "eu-cp-1", ("eu-cp-2", "eu-cp-3")
URLS = {name: f"https://10.0.0.{number}:2380" for number, name in enumerate((NODE, *OTHERS), 1)}
MANIFEST = f"""spec:
  containers:
  - command:
    - etcd
    - --initial-advertise-peer-urls={URLS[NODE]}
    - --initial-cluster={NODE}={URLS[NODE]}
    - --key-file=/etc/kubernetes/pki/etcd/server.key
"""
RUN = "r1"


class Host:
    """The member's host, and what kubelet and the others do."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data, self.manifests, self.state = root / "etcd", root / "manifests", root / "state"
        (self.data / "member").mkdir(parents=True)
        (self.data / "member" / "db").write_text("broken")
        self.manifests.mkdir()
        self.manifest = self.manifests / "etcd.yaml"
        self.manifest.write_text(MANIFEST)
        self.on = True
        self.kubelet = True
        self.members = dict(URLS)
        self.ill = {NODE}
        self.asked: list[str] = []
        bin_ = root / "bin"
        bin_.mkdir()
        # kubelet runs what has a manifest, and ends what has none.
        pgrep = f'#!/bin/sh\ncase "$1" in -x) test -e {root}/kubelet;; *) test -e {self.manifest};; esac\n'
        (bin_ / "pgrep").write_text(pgrep)
        (bin_ / "pgrep").chmod(0o755)
        (root / "kubelet").touch()
        self.flag, self.path = root / "kubelet", f"{bin_}:{os.environ['PATH']}"
        monkeypatch.setattr(member, "DATA", str(self.data))
        monkeypatch.setattr(member, "MANIFESTS", str(self.manifests))
        monkeypatch.setattr(member, "_APART", str(self.state))
        monkeypatch.setattr(member, "login", lambda *_: None)
        for module in (member, control_plane):
            monkeypatch.setattr(
                module, "control_plane", lambda stack, spec: [(name, None) for name in (NODE, *OTHERS)]
            )
        monkeypatch.setattr(ssh, "run", self.run)
        monkeypatch.setattr(ssh, "ask", self.ask)

    def run(self, host: str, way: object, command: list[str], **_: Any) -> Executed:
        assert host == NODE
        if not self.on:
            raise Unanswered(f"{NODE} does not answer")
        done = subprocess.run(command, capture_output=True, text=True, env={"PATH": self.path}, check=False)
        return Executed(done.returncode, done.stdout, done.stderr)

    def ask(self, host: str, way: object, source: bytes, order: dict[str, Any], **_: Any) -> dict[str, Any]:
        assert host in OTHERS and b"def expel" in source
        self.asked.append(order["do"])
        if set(self.ill) >= set(OTHERS):
            return {"why": "etcdserver: no leader"}
        if order["do"] == "expel":
            assert not self.manifest.exists(), "what serves is not taken out"
            self.members.pop(NODE, None)
        if order["do"] == "add":
            assert not (self.data / "member").exists(), "old data join nobody"
            self.members[NODE] = order["url"]
            # It serves once it was started, by a manifest of one that joins.
            self.ill.discard(NODE)
        told = [{"name": name, "url": url} for name, url in self.members.items()]
        if order["do"] == "add":
            told = [{**one, "name": "" if one["name"] == NODE else one["name"]} for one in told]
        return {"members": told, "well": sorted(set(self.members) - self.ill)}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def site(node: str = NODE) -> NodeSite:
    its = region(nodes("eu", control_planes=3, workers=1))
    its["cluster"]["apiServerAddress"] = "192.0.2.99"
    stack = Stack("s", declared({"eu": its}), Ledger(), frozenset(), Path("x"))
    cluster: Any = None
    return NodeSite(stack, "eu", node, cluster, lambda text: None)


def begun(directory: Path) -> None:
    of = site()
    of.run = RUN
    with journals.opened(directory) as journal:
        Runner(MEMBER, of, journal, of.tell).begin(RUN, {"node": NODE}, "--yes")


def against(of: NodeSite) -> list[str]:
    return [problem.what for problem in MEMBER.preconditions(of) if problem.blocks]


def test_a_dead_member_joins_anew_and_what_it_had_stays_on_the_host(host: Host, tmp_path: Path) -> None:
    assert against(site()) == []
    begun(tmp_path / "journal")
    listed = ",".join(f"{name}={url}" for name, url in URLS.items() if name != NODE)
    lines = host.manifest.read_text().splitlines()
    assert lines[5:7] == [
        f"    - --initial-cluster={listed},{NODE}={URLS[NODE]}",
        "    - --initial-cluster-state=existing",
    ]
    assert host.manifest.stat().st_mode & 0o777 == 0o600
    assert (host.data / f"before-{RUN}" / "member" / "db").read_text() == "broken"
    assert not any(host.state.iterdir()), "the manifest that was kept aside is gone"
    assert [do for do in host.asked if do != "look"] == ["expel", "add"]


@pytest.mark.parametrize("broken_off", [1, 2, 3])
def test_a_run_that_was_killed_after_any_step_goes_on(host: Host, broken_off: int) -> None:
    of = site()
    of.run = RUN
    for step in MEMBER.steps[:broken_off]:
        assert step.verify(of)
        step.do(of)
        assert not step.verify(of)
    again = site()
    again.run = RUN
    done = []
    for step in MEMBER.steps:
        if step.verify(again):
            step.do(again)
            done.append(step.name)
        assert not step.verify(again)
    assert done == [step.name for step in MEMBER.steps[broken_off:]]
    assert all(not step.verify(again) for step in MEMBER.steps), "and nothing of it is done twice"


def test_a_member_that_was_half_started_is_begun_anew_and_the_first_data_stay(host: Host) -> None:
    of = site()
    of.run = RUN
    for step in MEMBER.steps[:3]:
        step.do(of)
    # Killed right after its manifest was put in place: etcd has begun, and does not serve.
    (host.data / "member").mkdir()
    host.manifest.write_text(MANIFEST)
    for step in MEMBER.steps:
        if step.verify(of):
            step.do(of)
    assert not MEMBER.steps[-1].verify(of)
    assert (host.data / f"before-{RUN}" / "member" / "db").read_text() == "broken"


def test_one_that_has_joined_before_has_its_state_but_once() -> None:
    joined = MANIFEST.replace("    - --key-file", "    - --initial-cluster-state=existing\n    - --key-file")
    text = member.joining(joined, "a", [("b", "https://b:2380"), ("", "https://a:2380")])
    assert text.count("--initial-cluster-state=existing") == 1
    assert "--initial-cluster=b=https://b:2380,a=https://a:2380" in text
    assert text.endswith("    - --key-file=/etc/kubernetes/pki/etcd/server.key\n")


def test_without_its_data_the_old_manifest_is_not_put_back(host: Host) -> None:
    """It would begin a cluster of its own."""
    of = site()
    of.run = RUN
    stop, expel, aside, _ = MEMBER.steps
    assert stop.undo is not None
    stop.do(of)
    stop.undo(of, {})
    assert host.manifest.read_text() == MANIFEST
    for step in (stop, expel, aside):
        step.do(of)
    stop.undo(of, {})
    assert not host.manifest.exists()


def test_what_serves_is_left_alone_and_what_the_others_cannot_is_said(host: Host) -> None:
    host.ill = set()
    assert against(site()) == [f"the member of etcd on {NODE} serves: nothing of it is to be made anew"]
    host.ill = {NODE, "eu-cp-2"}
    (words,) = against(site())
    assert words.startswith("etcd does not serve on eu-cp-2 either")
    host.ill = {NODE, *OTHERS}
    (words,) = against(site())
    assert "no other member of etcd in eu answers for eu-cp-1: eu-cp-2: etcdserver: no leader" in words
    host.ill = {NODE}
    host.flag.unlink()
    assert against(site()) == [f"kubelet does not run on {NODE}: it starts and ends etcd"]
    host.on = False
    assert against(site()) == [f"{NODE} does not answer"]
    assert against(site("eu-worker-4")) == ["eu-worker-4 is a worker: it has no member of etcd"]


def test_where_nobody_adds_it_the_run_stands_and_says_why(host: Host, tmp_path: Path) -> None:
    def ask(name: str, way: object, source: bytes, order: dict[str, Any], **_: Any) -> dict[str, Any]:
        if order["do"] == "add":
            return {"why": "etcdserver: unhealthy cluster"}
        return Host.ask(host, name, way, source, order)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(OperationsError, match="unhealthy cluster"):
        patch.setattr(ssh, "ask", ask)
        begun(tmp_path / "journal")
    assert not host.manifest.exists()
    assert not (host.data / "member").exists()


FAKE = """
THERE = [{{"ID": "1", "name": "eu-cp-2", "peerURLs": ["https://10.0.0.2:2380"], "clientURLs": []}}]
DEAD = {{"ID": "9", "name": "eu-cp-1", "peerURLs": ["https://10.0.0.1:2380"]}}
REFUSALS = ["etcdserver: unhealthy cluster"]
if {dead}:
    THERE.append(DEAD)
_POLL = 0.01

def is_well(address):
    return address == "10.0.0.2"

def ask(address, path, body, others=()):
    if path.endswith("member/add"):
        if REFUSALS:
            raise EtcdError(REFUSALS.pop())
        THERE.append({{"ID": "7", "peerURLs": body["peerURLs"]}})
    if path.endswith("member/remove"):
        THERE[:] = [one for one in THERE if one["ID"] != body["ID"]]
    return {{"members": THERE}}
"""
"""Stands in for the HTTP of etcd: members that are there, one of which may be dead, and a first refusal."""


@pytest.mark.parametrize(
    ("do", "dead", "names"),
    [
        ("look", True, ["eu-cp-2", "eu-cp-1"]),
        ("expel", True, ["eu-cp-2"]),
        ("expel", False, ["eu-cp-2"]),
        ("add", False, ["eu-cp-2", ""]),
        ("add", True, ["eu-cp-2", "eu-cp-1"]),
    ],
)
def test_what_another_host_is_asked_is_answered_by_its_own_python(
    do: str, dead: bool, names: list[str]
) -> None:
    """An address that is a member already is not added twice, as in a run that was killed."""
    program = ETCD_LIBRARY.read_text() + FAKE.format(dead=dead) + member._TOLD
    order = json.dumps({"do": do, "name": NODE, "url": URLS[NODE]})
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        input=order,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    told = json.loads(done.stdout)
    assert [one["name"] for one in told["members"]] == names
    assert told["well"] == ["eu-cp-2"]
