"""`crossmesh simulate`: what DNS answers whom, in states of the regions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from access.paths import stack_file
from stacks import simulation
from tests.unit.operations.fakes import crossmesh_


def test_without_a_state_each_region_is_looked_at_by_itself(fake: Path) -> None:
    result = crossmesh_("simulate", "-s", "lab")
    assert result.exit_code == 0, result.output
    rows = [" ".join(line.split()[1:]) for line in result.output.splitlines()]
    assert "everybody all up all eu, us" in rows and "everybody eu partitioned outside us" in rows
    assert "12.0 s at most" in result.output and "8 answers" in result.output


def test_a_state_is_shown_as_an_object_too(fake: Path) -> None:
    result = crossmesh_("simulate", "-s", "lab", "--down", "eu", "--drained", "us", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    (row,) = found["rows"]
    assert (row["answer"], row["state"], row["healthy"]) == ("eu", "eu down; us drained", False)
    assert found["seconds"]["lost"]["total"] == pytest.approx(12.02)
    assert found["verified"] == {"views": 8, "problems": []}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--down", "uss"), "there is no region 'uss': did you mean 'us'?"),
        (("--drained", "eu", "--drained", "us"), "names would lead nowhere"),
    ],
)
def test_a_state_that_there_cannot_be_is_wrong_usage(
    fake: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = crossmesh_("simulate", "-s", "lab", *arguments)
    assert result.exit_code == 2 and words in " ".join(result.output.split())


def test_what_does_not_hold_ends_it_with_1(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "groups", lambda *_: [{"eu"}])
    result = crossmesh_("simulate", "-s", "lab")
    assert result.exit_code == 1 and "while another one is healthy" in result.output


def test_a_region_is_held_out_only_where_that_is_declared(fake: Path) -> None:
    result = crossmesh_("simulate", "-s", "lab", "--held", "eu")
    assert result.exit_code == 2 and "no region is ever held out" in " ".join(result.output.split())
    path = stack_file("lab")
    text = path.read_text()
    declared = text.replace("healthCheck: {", "healthCheck: {return: byHand, ")
    assert declared != text
    path.write_text(declared)
    result = crossmesh_("simulate", "-s", "lab", "--held", "eu")
    assert result.exit_code == 0, result.output
    assert "everybody eu held all us" in [" ".join(line.split()[1:]) for line in result.output.splitlines()]
    assert "All may be led to one that was returned by hand after" in result.output


def test_what_is_promised_is_shown_with_the_seconds_of_the_declaration(fake: Path) -> None:
    result = crossmesh_("simulate", "-s", "lab", "--guarantees", "--json")
    assert result.exit_code == 0, result.output
    found = {each["fault"]: each for each in json.loads(result.output)}
    assert found["a gateway is dead"]["seconds"] == pytest.approx(12.02)
    shown = crossmesh_("simulate", "-s", "lab", "--guarantees")
    assert shown.exit_code == 0 and "12.0 s" in shown.output
