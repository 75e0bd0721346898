"""etcd as modules ask it: who its members are, whether one may be spared, and how one leaves."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.crossmesh.nodes.plugins.module_utils import etcd
from ansible_collections.crossmesh.nodes.plugins.modules import etcd_member

NAMES = ("eu-cp-1", "eu-cp-2", "eu-cp-3")
ADDRESSES = {name: f"10.101.1.{11 + number}" for number, name in enumerate(NAMES)}
MANIFEST = """\
    - --initial-advertise-peer-urls=https://10.101.1.13:2380
    - --initial-cluster=eu-cp-1=https://10.101.1.11:2380,eu-cp-3=https://10.101.1.13:2380
"""


@dataclass
class Etcd:
    """Members that answer as etcd's gateway does; this host has that of eu-cp-3."""

    members: dict[str, str] = field(default_factory=lambda: dict(ADDRESSES))
    down: set[str] = field(default_factory=set)
    learners: set[str] = field(default_factory=set)
    refusals: int = 0
    """So often it refuses to change its members first."""
    forgetful: bool = True
    """Whether members know of a change at once."""
    asked: list[str] = field(default_factory=list)

    def ask(self, address: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        name = next(
            name for name, own in ADDRESSES.items() if own == address.replace("127.0.0.1", "10.101.1.13")
        )
        if path == "/health":
            return {"health": "true" if name not in self.down else "false"}
        voters = set(self.members) - self.learners
        if name in self.down or name not in self.members or len(voters - self.down) <= len(voters) // 2:
            raise etcd.EtcdError(f"etcd at {address}: Connection refused")
        if path == "/v3/cluster/member/remove":
            self.asked.append(name)
            if self.refusals:
                self.refusals -= 1
                raise etcd.EtcdError("etcdserver: unhealthy cluster")
            assert body is not None
            if self.forgetful:
                del self.members[body["ID"]]
            return {}
        listed = []
        for each, own in self.members.items():
            entry: dict[str, Any] = {"ID": each, "name": each, "peerURLs": [f"https://{own}:2380"]}
            listed.append({**entry, "isLearner": True} if each in self.learners else entry)
        return {"members": listed}


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Etcd:
    found = Etcd()
    manifest = tmp_path / "etcd.yaml"
    manifest.write_text(MANIFEST)
    (tmp_path / "healthcheck-client.key").touch()
    monkeypatch.setattr(etcd, "MANIFEST", manifest)
    monkeypatch.setattr(etcd, "PKI", tmp_path)
    monkeypatch.setattr(etcd, "_ask", found.ask)
    monkeypatch.setattr(etcd, "_POLL", 0.0)
    monkeypatch.setattr(etcd, "_PATIENCE", 0.2)
    return found


def test_a_host_knows_its_own_member_and_the_others(there: Etcd) -> None:
    assert etcd.is_here()
    assert etcd.own_address() == "10.101.1.13"
    # Those that it joined with, and the one that came later.
    assert etcd.known_addresses() == ["10.101.1.11", "10.101.1.12", "10.101.1.13"]


def test_a_host_without_a_member_complains_of_nothing(there: Etcd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etcd, "MANIFEST", Path("/nowhere/etcd.yaml"))
    assert not etcd.is_here()
    assert etcd.complaints() == []


def test_a_member_that_is_out_and_one_without_a_vote_are_named(there: Etcd) -> None:
    assert etcd.complaints() == []
    there.down = {"eu-cp-1"}
    assert etcd.complaints() == ["the member eu-cp-1 at 10.101.1.11 of etcd is not healthy"]
    there.down, there.learners = set(), {"eu-cp-2"}
    assert etcd.complaints() == ["the member eu-cp-2 at 10.101.1.12 of etcd has no vote yet"]


def test_one_of_three_can_be_spared_and_none_of_two_that_are_left(there: Etcd) -> None:
    assert etcd.endangered() == ""
    there.down = {"eu-cp-1"}
    words = etcd.endangered()
    assert "the member eu-cp-1 at 10.101.1.11 of etcd is not healthy" in words
    assert "1 of 3 would be left" in words


@pytest.mark.parametrize(
    ("members", "down"),
    [(["eu-cp-3"], set()), (["eu-cp-1", "eu-cp-3"], set()), (list(NAMES), {"eu-cp-3"})],
)
def test_where_none_can_be_spared_or_this_one_is_out_anyway_it_is_changed(
    there: Etcd, members: list[str], down: set[str]
) -> None:
    there.members = {name: ADDRESSES[name] for name in members}
    there.down = down
    assert etcd.endangered() == ""


def test_a_member_leaves_and_each_other_one_is_asked(there: Etcd) -> None:
    assert etcd.withdraw()
    assert set(there.members) == {"eu-cp-1", "eu-cp-2"}
    assert not etcd.withdraw(), "it is not in it any more"


def test_etcd_that_refuses_at_first_is_asked_again(there: Etcd) -> None:
    """It changes its members when all have been connected for some seconds, and not before."""
    there.refusals = 3
    assert etcd.withdraw()
    assert "eu-cp-3" not in there.members


def test_the_last_member_stays(there: Etcd) -> None:
    there.members = {"eu-cp-3": ADDRESSES["eu-cp-3"]}
    etcd.MANIFEST.write_text(MANIFEST.replace("eu-cp-1=https://10.101.1.11:2380,", ""))
    assert not etcd.withdraw()


def pods(*notes: str | None) -> str:
    """Pods of members as the API lists them."""
    key = "kubeadm.kubernetes.io/etcd.advertise-client-urls"
    items = [{"metadata": {"annotations": {key: note}} if note else {}} for note in notes]
    return json.dumps({"items": items})


def test_a_dead_member_that_was_made_alone_is_taken_out_by_those_that_the_api_tells_of(
    there: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first control plane's manifest lists itself alone; its host was reset, and etcd kept the member."""
    etcd.MANIFEST.write_text(MANIFEST.replace("eu-cp-1=https://10.101.1.11:2380,", ""))
    there.down = {"eu-cp-3"}
    answer = pods(*(f"https://{address}:2379" for address in ADDRESSES.values()), None)
    monkeypatch.setattr(
        etcd_member, "run", lambda *command: subprocess.CompletedProcess(command, 0, answer, "")
    )
    assert etcd.withdraw(etcd_member.told_addresses)
    assert set(there.members) == {"eu-cp-1", "eu-cp-2"}


def test_where_nobody_tells_who_the_others_are_a_dead_member_is_not_taken_for_one_that_left(
    there: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    etcd.MANIFEST.write_text(MANIFEST.replace("eu-cp-1=https://10.101.1.11:2380,", ""))
    there.down = {"eu-cp-3"}
    refused = subprocess.CompletedProcess([], 1, "", "connection refused\n")
    monkeypatch.setattr(etcd_member, "run", lambda *command: refused)
    with pytest.raises(
        etcd.EtcdError, match=r"the API does not say: connection refused\. Bring the API back"
    ):
        etcd.withdraw(etcd_member.told_addresses)
    assert set(there.members) == set(NAMES)
    # What an interrupted `kubeadm init` has left is in no cluster.
    assert not etcd.withdraw()


def test_a_learner_leaves_whoever_else_is_out(there: Etcd) -> None:
    there.learners = {"eu-cp-3"}
    assert etcd.withdraw()


def test_where_the_rest_would_be_no_majority_nobody_leaves(there: Etcd) -> None:
    there.down = {"eu-cp-2"}
    with pytest.raises(etcd.EtcdError, match=r"eu-cp-2 at 10.101.1.12 is not healthy, and 2 of 2 have to be"):
        etcd.withdraw()
    assert set(there.members) == set(NAMES)
    assert there.asked == []


def test_a_member_that_others_still_know_has_not_left(there: Etcd) -> None:
    there.forgetful = False
    with pytest.raises(etcd.EtcdError, match=r"still knows 10.101.1.13"):
        etcd.withdraw()
