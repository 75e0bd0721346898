"""Ways into clusters: nothing is compared of one that is not the one that was set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from access import cluster as clusters
from access.errors import IdentityMismatch, Unanswered
from access.kubeconfig import KubeconfigError
from live.drift import access
from live.drift.access import Clusters, Stranger
from live.state import Way
from report.model import Finding, Status
from tests.unit.live.drift.support import FakeCluster, record

WAY = Way("eu", "urn", "uid-1", "kubeconfig")
NAMESPACE = "/api/v1/namespaces/kube-system"


class Opened(FakeCluster):
    """Counts how often it is closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Opened]:
    def make(answer: Any) -> Opened:
        cluster = Opened({NAMESPACE: answer})
        monkeypatch.setattr(access, "Cluster", lambda region, kubeconfig: cluster)
        monkeypatch.setattr(clusters, "_AGAIN_SECONDS", 0.0)
        return cluster

    return make


def said(stranger: Stranger) -> tuple[list[Finding], bool]:
    found = record("clusters")
    stranger.into(found)
    return found.findings, found.refused


def test_a_cluster_is_opened_once_and_closed_at_the_end(answering: Callable[[Any], Opened]) -> None:
    cluster = answering((200, {"metadata": {"uid": "uid-1"}}))
    with Clusters({"eu": WAY}) as clusters:
        assert clusters.cluster("eu") is cluster
        assert clusters.cluster("eu") is cluster
    assert cluster.asked == [NAMESPACE]
    assert cluster.closed == 1


def test_another_clusters_identity_is_an_error_and_nothing_of_it_is_compared(
    answering: Callable[[Any], Opened],
) -> None:
    cluster = answering((200, {"metadata": {"uid": "uid-2"}}))
    with Clusters({"eu": WAY}) as clusters, pytest.raises(Stranger) as raised:
        clusters.cluster("eu")
    findings, refused = said(raised.value)
    assert [(found.rule, found.status) for found in findings] == [
        ("drift/identity", Status.FAIL),
        ("drift/clusters", Status.NOT_MEASURABLE),
    ]
    assert "uid-2, recorded is uid-1" in findings[0].message
    assert "Nothing of it was compared" in findings[0].fix
    assert not refused
    assert cluster.closed == 1


@pytest.mark.parametrize(
    ("answer", "rule", "status", "refused"),
    [
        ((401, {"message": "Unauthorized"}), "drift/identity", Status.FAIL, True),
        (IdentityMismatch("not of the CA", fix="Find out."), "drift/identity", Status.FAIL, False),
        ((403, {"message": "forbidden"}), "drift/clusters", Status.NOT_MEASURABLE, False),
        (Unanswered("timed out", fix="See."), "drift/clusters", Status.NOT_MEASURABLE, False),
        ((503, "starting"), "drift/clusters", Status.NOT_MEASURABLE, False),
    ],
)
def test_what_does_not_let_us_in_is_told_from_what_does_not_answer(
    answer: Any, rule: str, status: Status, refused: bool, answering: Callable[[Any], Opened]
) -> None:
    answering(answer)
    with Clusters({"eu": WAY}) as clusters, pytest.raises(Stranger) as raised:
        clusters.cluster("eu")
    findings, was_refused = said(raised.value)
    assert (findings[0].rule, findings[0].status, was_refused) == (rule, status, refused)
    assert findings[0].fix


def test_a_kubeconfig_that_cannot_be_read_is_a_refused_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(region: str, kubeconfig: str) -> None:
        raise KubeconfigError("kubeconfig of region 'eu' cannot be read")

    monkeypatch.setattr(access, "Cluster", broken)
    with Clusters({"eu": WAY}) as clusters, pytest.raises(Stranger) as raised:
        clusters.cluster("eu")
    assert said(raised.value)[1]
