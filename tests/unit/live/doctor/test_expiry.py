"""What the doctor says of certificates: failed, warned, not measurable; of hosts, clusters and the state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from live.checks import clusters, machines, trust
from live.doctor.expiry import finding
from live.doctor.model import NotMeasurable
from live.expiry import clusters as shown
from live.expiry.model import Entry
from report.model import Severity, Status
from tests.unit.operations.support import make_platform, run

NOW = datetime.now(UTC)
SILENT = Entry("eu", "eu-cp-1", "", problem="no route to it", fix="mend it", seen=False)


def entry(days: float, place: str = "/x.crt") -> Entry:
    start, end = NOW - timedelta(days=300), NOW + timedelta(days=days, hours=1)
    return Entry("eu", "eu-cp-1", place, not_before=start, not_after=end, renewed_by="kubeadm")


def test_what_holds_passes_and_the_first_to_end_is_told() -> None:
    found = finding([entry(200), entry(100, "/first.crt"), Entry("eu", "eu-cp-1", "/sa.pub")], NOW)
    assert found.status is Status.PASS
    assert found.measured.startswith("3 entries; the first to end: eu-cp-1: /first.crt expires in 100 days")


def test_what_ends_soon_is_a_warning_that_says_who_renews_it() -> None:
    found = finding([entry(200), entry(20)], NOW)
    assert (found.status, found.severity) == (Status.FAIL, Severity.WARNING)
    assert found.message.startswith("eu-cp-1: /x.crt expires in 20 days")
    assert found.fix == "Renewed by kubeadm."


@pytest.mark.parametrize(
    "bad", [entry(-1), Entry("eu", "eu-cp-1", "/x.crt", problem="it holds no certificate")]
)
def test_what_is_not_valid_fails_whatever_else_is_not_known(bad: Entry) -> None:
    found = finding([entry(20), bad, SILENT], NOW)
    assert (found.status, found.severity) == (Status.FAIL, Severity.ERROR)


def test_what_has_ended_names_the_runbook_that_renews_it() -> None:
    found = finding([replace(entry(-1), runbook="renew-certificates region=eu")], NOW)
    assert found.runbook == "renew-certificates region=eu"


def test_what_nobody_could_see_is_not_measurable() -> None:
    with pytest.raises(NotMeasurable, match="eu-cp-1: no route to it") as caught:
        finding([entry(20), SILENT], NOW)
    assert caught.value.fix == "mend it"


def test_hosts_clusters_and_the_state_are_each_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    issued = replace(entry(100, "mesh-root"), fingerprint="f")
    platform = replace(make_platform(), issued=(issued,))
    asked: list[Any] = []

    def hosts(stack: Any, regions: list[str]) -> list[Entry]:
        asked.append(regions)
        return [entry(200)]

    def cluster(cluster: Any, issued: Any, *, adopted: bool) -> list[Entry]:
        asked.append((cluster.region, issued, adopted))
        return [entry(-1)]

    monkeypatch.setattr(machines.machines, "look", hosts)
    monkeypatch.setattr(shown, "look", cluster)
    assert run(machines.check_host_certificates, platform, "us").status is Status.PASS
    assert run(clusters.check_cluster_certificates, platform, "us").status is Status.FAIL
    assert run(trust.check_issued, platform).status is Status.PASS
    assert asked == [["us"], ("us", {"f": "kubeadm"}, False)]
