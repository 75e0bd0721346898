"""`crossmesh releases`: what the catalogue has, and what the day says of it."""

from __future__ import annotations

import json
import re

import pytest

import releases
from tests.unit.operations.fakes import crossmesh_


def test_each_release_is_a_row_that_says_how_far_it_was_seen_and_what_it_runs_with() -> None:
    result = crossmesh_("releases", "--today", "2026-06-01")
    assert result.exit_code == 0
    rows = {
        " ".join(re.split(r"  +| (?=\()", row)[:2]): row
        for row in result.output.splitlines()[1:]
        if row[0] != " "
    }
    assert [entry.name for entry in releases.every()] == list(rows)
    istio = releases.default("istio")
    assert f"{istio} (default)" in rows[f"Istio {istio}"]
    assert "brought up" in rows[f"Istio {istio}"]
    assert "Kubernetes 1.13 to 1.35" in rows["MetalLB 0.15.2"]


@pytest.mark.parametrize(
    ("today", "state"),
    [("2026-04-01", "mended"), ("2026-06-01", "ends soon"), ("2026-07-02", "past its end")],
)
def test_the_day_says_whether_a_release_is_mended(today: str, state: str) -> None:
    result = crossmesh_("releases", "--today", today, "--json")
    assert result.exit_code == 0
    (istio,) = [entry for entry in json.loads(result.output) if entry["version"] == "1.28.3"]
    assert istio["support"] == {
        "state": state,
        "until": "2026-07-01",
        "source": "istio.io, Supported Releases",
    }
    assert istio["default"] is False
    assert istio["runsOn"]["kubernetes"]["versions"] == ["1.30", "1.31", "1.32", "1.33", "1.34"]


def test_without_a_day_it_is_today_s() -> None:
    assert crossmesh_("releases").exit_code == 0
