"""What a cluster's API shows of points, and what it does not answer."""

from __future__ import annotations

from typing import Any, cast

import pytest

from access.cluster import Cluster
from access.errors import NotAllowed, Unanswered
from live.hardening import clusters
from live.hardening.facts import PROXY
from live.hardening.model import State
from live.hardening.points import OF_CLUSTERS
from tests.unit.live.expiry.support import CA
from tests.unit.live.hardening.made_cluster import MADE
from tests.unit.operations.support import issue

_CONFIGURATION = "kind: KubeProxyConfiguration\nmetricsBindAddress: 127.0.0.1:10249\n"


class Server:
    """An API server with the objects of a made cluster."""

    region, server = "eu", "https://192.0.2.1:6443"

    def __init__(self) -> None:
        self.client_certificate: str | None = issue("admin", CA).pem
        self.refused: dict[str, Exception] = {}
        self.proxy: Any = {"data": {"config.conf": _CONFIGURATION}}

    def get(self, path: str) -> Any:
        plural = path.partition("?")[0].rpartition("/")[2]
        if plural in self.refused:
            raise self.refused[plural]
        if plural == PROXY:
            return self.proxy
        if path == "/apis":
            return {"groups": [{"name": "apps"}, {"name": "external-secrets.io"}]}
        return {"items": list(MADE.of(plural)), "metadata": {}}


@pytest.fixture
def server() -> Server:
    return Server()


def read(server: Server) -> Any:
    return clusters.read(cast("Cluster", server), adopted=False)


def look(server: Server, adopted: bool = False) -> Any:
    return clusters.look(cast("Cluster", server), adopted=adopted)


def test_all_that_points_ask_for_is_listed(server: Server) -> None:
    facts = read(server)
    assert facts.problems == {}
    assert {plural: list(found) for plural, found in facts.objects.items()} == dict(MADE.objects)
    assert facts.groups == {"apps", "external-secrets.io"}
    assert facts.proxy["metricsBindAddress"] == "127.0.0.1:10249"
    assert {entry.point.number for entry in look(server)} == {point.number for point in OF_CLUSTERS}
    assert {(entry.region, entry.at) for entry in look(server)} == {("eu", "cluster")}


def test_what_is_refused_hides_no_other(server: Server) -> None:
    server.refused = {"pods": NotAllowed("403: no right")}
    states = {entry.point.number: entry for entry in look(server)}
    assert states["5.2.2"].state is State.UNKNOWN
    assert states["5.2.2"].verdict.there == "403: no right"
    assert "right to list" in states["5.2.2"].mend
    assert states["5.1.1"].state is State.HOLDS


def test_one_that_does_not_answer_is_not_known(server: Server) -> None:
    server.refused = {"namespaces": Unanswered("no route to it", fix="mend it")}
    entries = look(server)
    assert len(entries) == len(OF_CLUSTERS)
    assert {(entry.state, entry.verdict.there, entry.mend) for entry in entries} == {
        (State.UNKNOWN, "no route to it", "mend it")
    }


def test_a_proxy_that_is_not_kubeadm_s_is_none(server: Server) -> None:
    server.proxy = None
    assert read(server).proxy is None
    server.proxy = {"data": {"config.conf": "- no: [map"}}
    assert "no configuration" in read(server).problems[PROXY]


def test_of_an_adopted_cluster_the_points_of_its_api_are_judged(server: Server) -> None:
    states = {entry.point.number: entry.state for entry in look(server, adopted=True)}
    assert states["5.1.1"] is State.HOLDS
    assert states["5.3.1"] is State.NOT_APPLICABLE
    assert State.UNKNOWN not in states.values()


def test_the_kubeconfig_of_a_certificate_tells_its_groups(server: Server) -> None:
    assert clusters.organizations(server.client_certificate) == ()
