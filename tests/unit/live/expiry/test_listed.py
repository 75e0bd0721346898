"""The whole list, and what it ends with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from access.kubeconfig import KubeconfigError
from live import side_by_side
from live.expiry import listed
from live.expiry.model import Entry
from report.exit_codes import ExitCode
from tests.unit.live.drift.support import identity, resource, state_of
from tests.unit.operations.support import STACK, issue

NOW = datetime.now(UTC)
ROOT = issue("root", ca=True, days=3650)


def entry(days: float, region: str = "eu", **more: Any) -> Entry:
    return Entry(region, "h", "p", not_before=NOW, not_after=NOW + timedelta(days=days), **more)


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], ExitCode.CLEAN),
        ([entry(400)], ExitCode.CLEAN),
        ([entry(400), entry(-1)], ExitCode.UNHEALTHY),
        ([entry(400), Entry("eu", "h", "", problem="no route", seen=False)], ExitCode.NOT_MEASURABLE),
        ([entry(-1), Entry("eu", "h", "", problem="no route", seen=False)], ExitCode.UNHEALTHY),
        ([Entry("eu", "h", "/x", problem="no certificate")], ExitCode.UNHEALTHY),
    ],
)
def test_the_code_tells_what_is_not_valid_from_what_is_not_known(
    entries: list[Entry], code: ExitCode
) -> None:
    assert listed.exit_code(entries) is code


def test_the_code_is_about_the_time_that_was_asked_for() -> None:
    assert listed.exit_code([entry(400)], timedelta(days=500)) is ExitCode.UNHEALTHY


def test_state_hosts_and_clusters_are_in_one_list(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def cluster(region: str, kubeconfig: str) -> Iterator[Any]:
        if kubeconfig == "bad":
            raise KubeconfigError("cannot be read", fix="give another")
        yield SimpleNamespace(region=region)

    asked: list[Any] = []

    def look(cluster: Any, issued: Any, *, adopted: bool) -> list[Entry]:
        asked.append((cluster.region, issued, adopted))
        return [entry(300, cluster.region)]

    monkeypatch.setattr(side_by_side, "Cluster", cluster)
    monkeypatch.setattr(listed.clusters, "look", look)
    monkeypatch.setattr(
        listed.machines, "look", lambda stack, regions: [entry(200, region) for region in regions]
    )
    issued = resource(
        "crossmesh:tls:CertificateAuthority", "mesh-root", {"renew_before_days": 9}, {"certificate": ROOT.pem}
    )
    found = listed.look(STACK, state_of([issued, identity("eu")]))
    assert [(one.region, one.at) for one in found] == [
        ("", "state"),
        ("eu", "h"),
        ("eu", "h"),
        ("us", "cluster"),
        ("us", "h"),
    ]
    ((region, renewers, adopted),) = asked
    assert (region, adopted) == ("eu", False)
    assert list(renewers.values()) == ["`pulumi up`, from 9 days before its end"]
    (missing,) = [one for one in found if one.at == "cluster"]
    assert (missing.problem, missing.seen) == ("it was not brought up", False)
    (broken,) = [
        one
        for one in listed.look(STACK, state_of([identity("eu", kubeconfig="bad")]))
        if one.fix == "give another"
    ]
    assert broken.problem == "cannot be read"
