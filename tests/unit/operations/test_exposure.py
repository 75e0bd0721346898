"""`crossmesh exposure`: what is reached from outside."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.operations.fakes import crossmesh_
from tests.unit.operations.support import HOST


def test_every_path_has_a_line_with_what_answers_and_who_may_call(fake: Path) -> None:
    result = crossmesh_("exposure", "-s", "lab")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "greencompute/asset-mgr-ms-svc:8080" in words.replace(" ", "") or "asset-mgr-ms" in words
    assert "everybody" in words and "eu, us" in words


def test_programs_get_one_object(fake: Path) -> None:
    result = crossmesh_("exposure", "-s", "lab", "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output)["rows"]
    assert {row["host"] for row in rows} == {HOST}
    assert sorted(row["path"] for row in rows) == ["/assetconsumer", "/assetdashboard", "/assetmgrms"]
    (row,) = (row for row in rows if row["path"] == "/assetmgrms")
    assert row["targets"] == [
        {
            "kind": "application",
            "namespace": "greencompute",
            "name": "asset-mgr-ms-svc",
            "port": 8080,
            "weight": 1,
        }
    ]
    assert (row["gateways"], row["callers"]) == (["eu", "us"], "everybody")


def test_a_stack_without_a_file_is_wrong_usage(fake: Path) -> None:
    assert crossmesh_("exposure", "-s", "none").exit_code == 2
