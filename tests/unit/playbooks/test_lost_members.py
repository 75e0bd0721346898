"""Members of etcd as plays and runbooks see them: one that is lost is taken out, and none that serves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from ansible_collections.crossmesh.nodes.plugins.module_utils import etcd


class Members:
    """Three members by their addresses; those that are silent do not answer."""

    def __init__(self, *silent: str) -> None:
        self.there = {"10.0.0.1": "cp-1", "10.0.0.2": "cp-2", "10.0.0.3": "cp-3"}
        self.silent = {*silent}
        self.busy = 0
        """So often a removal is refused."""

    def ask(
        self, address: str, path: str, body: dict[str, Any] | None, others: Iterable[Any] = ()
    ) -> dict[str, Any]:
        asked = "10.0.0.1" if address == "127.0.0.1" else address
        if asked in self.silent:
            raise etcd.EtcdError(f"etcd at {address}: timed out")
        if path == "/health":
            return {"health": "true"}
        if path.endswith("/remove"):
            if self.busy:
                self.busy -= 1
                raise etcd.EtcdError("etcd at 10.0.0.1 answered 503: unhealthy cluster")
            assert body is not None
            self.there = {at: name for at, name in self.there.items() if name != body["ID"]}
            return {}
        return {
            "members": [
                {"ID": name, "name": name, "peerURLs": [f"https://{at}:2380"]}
                for at, name in self.there.items()
            ]
        }


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etcd, "_POLL", 0.01)
    monkeypatch.setattr(etcd, "_PATIENCE", 0.2)


def seen(monkeypatch: pytest.MonkeyPatch, *silent: str) -> Members:
    found = Members(*silent)
    monkeypatch.setattr(etcd, "ask", found.ask)
    return found


def test_the_member_of_a_lost_host_is_taken_out_by_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = seen(monkeypatch, "10.0.0.3")
    cluster.busy = 2
    assert etcd.expel("cp-3")
    assert [*cluster.there.values()] == ["cp-1", "cp-2"]
    assert not etcd.expel("cp-3"), "it is done once"


def test_one_that_serves_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = seen(monkeypatch)
    with pytest.raises(etcd.EtcdError, match="serves: its host is not lost"):
        etcd.expel("cp-3")
    assert len(cluster.there) == 3


def test_where_those_that_remain_are_no_majority_nothing_is_taken_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = seen(monkeypatch, "10.0.0.2", "10.0.0.3")
    with pytest.raises(etcd.EtcdError, match=r"2 of 2 have to be"):
        etcd.expel("cp-3")
    assert len(cluster.there) == 3


def test_a_refusal_that_stays_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = seen(monkeypatch, "10.0.0.3")
    cluster.busy = 1000
    with pytest.raises(etcd.EtcdError, match="unhealthy cluster"):
        etcd.expel("cp-3")
