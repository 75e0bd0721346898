"""Keys of Secrets as a host changes them: what API servers have, what etcd holds, and what is refused."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import Counter
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from ansible_collections.crossmesh.nodes.plugins.module_utils import encryption_keys as keys
from hypothesis import given
from hypothesis import strategies as st

CONTENT = """\
# By the first of them Secrets are written, by all of them they can be read.
resources:
  - resources: [secrets]
    providers:
      - secretbox:
          keys:
            - {name: key-2, secret: AAAA}
            - {name: key-1, secret: BBBB}
      - identity: {}
"""
NODES = ("eu-cp-1", "eu-cp-2", "eu-cp-3")


def test_an_order_is_read_from_what_the_role_writes(tmp_path: Any) -> None:
    file = tmp_path / "encryption.yaml"
    file.write_text(CONTENT)
    assert keys.of_file(str(file)) == ["key-2", "key-1", "identity"]
    assert yaml.safe_load(CONTENT)["resources"][0]["providers"][1] == {"identity": {}}
    assert keys.of_file(str(tmp_path / "none")) == keys.of_file("") == []


class Etcd:
    """Answers ranges as etcd's gateway does, of the revision that is asked for."""

    def __init__(self, values: dict[str, bytes]) -> None:
        self.values = dict(sorted(values.items()))
        self.revisions: list[int] = []

    def ask(self, address: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert (address, path) == ("127.0.0.1", "/v3/kv/range")
        self.revisions.append(body["revision"])
        first, end = (b64decode(body[name]).decode() for name in ("key", "range_end"))
        found = [(name, value) for name, value in self.values.items() if first <= name < end]
        page = [
            {"key": b64encode(name.encode()).decode(), "value": b64encode(value).decode()}
            for name, value in found[: body["limit"]]
        ]
        more = {"more": True} if len(found) > len(page) else {}
        return {"header": {"revision": "77"}, **({"kvs": page} if page else {}), **more}


@given(st.lists(st.sampled_from(["key-1", "key-2", "identity"]), max_size=12))
def test_what_etcd_holds_is_counted_by_key_and_of_one_moment(held: list[str]) -> None:
    values = {
        f"/registry/secrets/shop/{number:02}": b"k8s\0plain"
        if key == "identity"
        else f"k8s:enc:secretbox:v1:{key}:\0rest".encode()
        for number, key in enumerate(held)
    }
    etcd = Etcd({**values, "/registry/secretsx/shop/other": b"k8s:enc:secretbox:v1:key-9:"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys.etcd, "ask", etcd.ask)
        patch.setattr(keys.etcd, "PAGE", 3)
        assert keys.etcd.secrets_by_key() == Counter(held)
    assert set(etcd.revisions[1:]) <= {77}


def test_nodes_say_what_their_api_servers_have(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    annotations = ({keys.READ: "identity,key-1,key-2", keys.WRITTEN: "key-2"}, None, {})
    items = [
        {"metadata": {"name": name, **({} if of is None else {"annotations": of})}}
        for name, of in zip(NODES, annotations, strict=True)
    ]

    def run(*command: Any) -> CompletedProcess[str]:
        asked.append(command)
        return CompletedProcess(command, 0, json.dumps({"items": items}), "")

    monkeypatch.setattr(keys, "run", run)
    said = keys.Said.of(["key-2", "key-1", "identity"])
    assert keys.others("eu-cp-3") == {"eu-cp-1": said, "eu-cp-2": keys.Said()}
    keys.publish("eu-cp-3", ["key-2", "key-1", "identity"], ["key-3", "key-2", "identity"])
    assert asked[-1][-2:] == (f"{keys.READ}=identity,key-2", f"{keys.WRITTEN}=key-2,key-3")
    monkeypatch.setattr(keys, "run", lambda *_: CompletedProcess([], 1, "", "connection refused"))
    with pytest.raises(keys.EncryptionKeysError, match=r"nobody says .*: connection refused"):
        keys.others("eu-cp-3")
    with pytest.raises(keys.EncryptionKeysError, match=r"eu-cp-3 has is not written .*: connection refused"):
        keys.publish("eu-cp-3", [])


class Cluster:
    """API servers with their keys, and the keys that Secrets are stored by."""

    def __init__(self) -> None:
        self.have = {node: ["key-1", "identity"] for node in NODES}
        self.proven = dict(self.have)
        self.said = {node: keys.Said.of(order) for node, order in self.have.items()}
        self.stored = ["key-1"] * 3

    def change(self, node: str, after: list[str], *, killed: str) -> None:
        """What the module kubeadm does on a host; killed: `before` or `after` its API server starts anew."""
        before = [self.proven[node], self.have[node]]
        there = {name: said for name, said in self.said.items() if name != node}
        for order in before:
            keys.see_that_it_may_come(order, after, there)
        gone = {key for order in before for key in order} - set(after) - {keys.PLAIN}
        if gone & set(self.stored):
            self.rewrite(node)
        if gone & set(self.stored):
            raise keys.EncryptionKeysError("etcd still has Secrets")
        self.said[node] = keys.Said.of(*before, after)
        if killed == "before":
            return
        self.have[node] = after
        self.write()
        if killed:
            return
        self.said[node] = keys.Said.of(after)
        if any(order[0] != after[0] for order in before):
            self.rewrite(node)
        self.proven[node] = after

    def rewrite(self, node: str) -> None:
        self.stored = [self.have[node][0]] * len(self.stored)

    def write(self) -> None:
        """Each API server writes one."""
        self.stored += [order[0] for order in self.have.values()]


KILLS = st.sampled_from(["", "before", "after"])
ORDERS = st.permutations(["key-1", "key-2", "key-3", "identity"]).flatmap(
    # `identity` is always there: what was never encrypted can be read.
    lambda order: st.integers(1, 4).map(
        lambda size: order[:size] if "identity" in order[:size] else [*order[: size - 1], "identity"]
    )
)


@given(st.lists(st.tuples(st.sampled_from(NODES), ORDERS, KILLS), max_size=12))
def test_whatever_is_declared_every_api_server_can_read_every_secret(
    changes: list[tuple[str, list[str], str]],
) -> None:
    """In any order of hosts, killed in the middle or not: what would break it is refused."""
    cluster = Cluster()
    for node, order, killed in changes:
        try:
            cluster.change(node, order, killed=killed)
        except keys.EncryptionKeysError:
            continue
        for have in cluster.have.values():
            assert set(cluster.stored) <= set(have), (cluster.have, cluster.stored)


def test_a_rotation_host_after_host_is_allowed_and_leaves_nothing_of_the_old_key() -> None:
    cluster = Cluster()
    for order in (["key-1", "key-2"], ["key-2", "key-1"], ["key-2"]):
        for node in NODES:
            cluster.change(node, [*order, "identity"], killed="")
            cluster.write()
    assert set(cluster.stored) == {"key-2"}
