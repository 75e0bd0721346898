"""`crossmesh rehearse`: what it is asked for is checked before anything is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from operations.cli import crossmesh
from rehearsal import drive
from rehearsal.drive import Course, Order
from rehearsal.errors import RehearsalError
from report.exit_codes import ExitCode
from tests.unit.rehearsal.test_report import COURSE


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Order]:
    orders: list[Order] = []

    def rehearse(root: Path, order: Order, say: Any) -> Course:
        orders.append(order)
        return COURSE

    monkeypatch.setattr(drive, "rehearse", rehearse)
    return orders


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(crossmesh, ["rehearse", *arguments])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("up", "--stack", "lab"), "--base REF is missing"),
        (("up", "node=x", "--stack", "lab", "--base", "HEAD"), "`up` takes no parameters"),
        (("up", "--stack", "nowhere", "--base", "HEAD"), "nowhere"),
        (("drain-nodes", "--stack", "lab"), "drain-node"),
        (("drain-node", "--stack", "lab", "--approve", "x"), "--approve is for `up`"),
        (("up", "--stack", "lab", "--base", "HEAD", "--report", "word=x"), "word"),
        (("up", "--stack", "lab", "--base", "HEAD", "--objects", "eu=nowhere"), "there is no nowhere"),
    ],
)
def test_a_wrong_wish_is_refused_before_the_first_machine(
    asked: list[Order], arguments: tuple[str, ...], words: str
) -> None:
    ended = invoke(*arguments)
    assert ended.exit_code == ExitCode.USAGE
    assert words in ended.output
    assert asked == []


def test_the_answer_is_a_report_and_its_code(asked: list[Order], tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    ended = invoke("up", "--stack", "lab", "--base", "HEAD", "--approve", "a*", "--report", f"json={answer}")
    assert ended.exit_code == ExitCode.CLEAN, ended.output
    assert asked == [Order("lab", "up", (), "HEAD", ("a*",), 5.0, False)]
    assert "It went well on the twin" in ended.output
    assert json.loads(answer.read_text())["stacks"][0]["verb"] == "rehearse"


def test_a_twin_that_did_not_come_up_is_in_the_reports(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def rehearse(*_: Any) -> Course:
        raise RehearsalError("no lab is free", fix="stop one")

    monkeypatch.setattr(drive, "rehearse", rehearse)
    answer = tmp_path / "answer.json"
    ended = invoke("drain-node", "node=x", "--stack", "lab", "--report", f"json={answer}")
    assert ended.exit_code == ExitCode.TOOL_ERROR
    assert "fix: stop one" in ended.output
    (stack,) = json.loads(answer.read_text())["stacks"]
    assert (stack["exitCode"], stack["findings"][0]["message"]) == (1, "no lab is free")
