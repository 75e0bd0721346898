"""The newest backup is as young as declared, or the doctor says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from live import backups as kept
from live.checks import backups
from live.doctor.model import Finding, NotMeasurable
from live.doctor.platform import Platform
from report.model import Severity, Status
from stacks.model import Environment
from tests.unit.access import s3
from tests.unit.operations.support import make_platform, run


def declared(destination: str, **more: Any) -> Platform:
    """The reference platform, with backups."""
    platform = make_platform()
    document: dict[str, Any] = platform.stack.environment.model_dump(mode="json", by_alias=True)
    document["backups"] = {"destination": destination, **more}
    environment = Environment.model_validate(document)
    return replace(platform, stack=replace(platform.stack, environment=environment))


def name(hours: float, region: str = "eu") -> str:
    return kept.name("lab", region, datetime.now(UTC) - timedelta(hours=hours))


def made(directory: Path, *names: str) -> None:
    for one in names:
        (directory / one).parent.mkdir(exist_ok=True)
        (directory / one).touch()


def found(platform: Platform) -> Finding:
    return run(backups.check_backup, platform, "eu")


def test_each_cluster_on_machines_is_asked_for_one_where_that_is_declared(tmp_path: Path) -> None:
    assert backups.checks(make_platform()) == []
    assert [check.id for check in backups.checks(declared(str(tmp_path)))] == ["backup/eu", "backup/us"]


def test_a_young_one_is_well(tmp_path: Path) -> None:
    made(tmp_path, name(90), name(3))
    finding = found(declared(str(tmp_path)))
    assert (finding.status, finding.measured) == (Status.PASS, "2 backups, the newest 3.0 hours old")


def test_an_old_one_is_warned_of_and_one_that_nobody_has_proven_does_not_count(tmp_path: Path) -> None:
    made(tmp_path, name(90), name(1).replace(kept.ENDING, kept.UNPROVEN), name(1, "eu-west"))
    finding = found(declared(str(tmp_path), maxAgeHours=48))
    assert (finding.status, finding.severity) == (Status.FAIL, Severity.WARNING)
    assert "the newest backup of eu is 90 hours old, more than 48" in finding.message
    assert "crossmesh runbook run backup-etcd region=eu --yes" in finding.fix


def test_none_is_a_failure_with_the_runbook_that_makes_one(tmp_path: Path) -> None:
    finding = found(declared(str(tmp_path)))
    assert finding.severity is Severity.ERROR
    assert f"there is no backup of eu in {tmp_path}" in finding.message
    assert finding.runbook == "backup-etcd region=eu"


def test_a_bucket_is_asked_and_one_that_lets_nobody_in_is_not_measurable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with s3.serving() as server:
        for variable, value in server.environment.items():
            monkeypatch.setenv(variable, value)
        server.objects = {f"etcd/{name(hours)}": b"sealed" for hours in (2, 26, 50, 74)}
        platform = declared("s3://ours/etcd")
        assert found(platform).measured == "4 backups, the newest 2.0 hours old"
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAANOTHER")
        with pytest.raises(NotMeasurable, match="s3://ours/etcd") as refused:
            found(platform)
    assert "AWS_ENDPOINT_URL" in refused.value.fix
