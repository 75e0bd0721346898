"""What is wrong with `--report` is said before anything runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from report.errors import ConfigurationError
from report.formats import ReportRequest, requests


def refused(wanted: list[str], stacks: list[str]) -> str:
    """The message of the refusal, which is a usage error."""
    with pytest.raises(ConfigurationError) as caught:
        requests(wanted, stacks)
    assert caught.value.exit_code == 2
    return caught.value.format_message()


def test_the_terminal_is_reported_to_unless_something_else_is() -> None:
    assert requests([], ["lab"]) == [ReportRequest("terminal", "-")]
    assert requests(["json=-"], ["lab"]) == [ReportRequest("json", "-")]


def test_files_are_asked_for_beside_the_terminal(tmp_path: Path) -> None:
    found = requests([f"markdown={tmp_path}/gate.md", f"json={tmp_path}/a=b.json"], ["lab"])
    assert found == [
        ReportRequest("markdown", f"{tmp_path}/gate.md"),
        ReportRequest("json", f"{tmp_path}/a=b.json"),
        ReportRequest("terminal", "-"),
    ]


def test_each_stack_may_have_its_file(tmp_path: Path) -> None:
    picture, _ = requests([f"svg={tmp_path}/{{stack}}.svg"], ["lab", "staging"])
    assert picture.file("lab") == tmp_path / "lab.svg"
    assert picture.per_stack


def test_names_of_standard_output_are_standard_output() -> None:
    assert requests(["json=/dev/stdout"], ["lab"]) == [ReportRequest("json", "-")]


def test_an_unknown_format_is_named_with_those_that_there_are() -> None:
    said = refused(["html=gate.html"], ["lab"])
    assert "'html'" in said and "terminal, markdown, json, sarif, junit, svg" in said


@pytest.mark.parametrize("text", ["json", "json="])
def test_a_report_needs_a_file(text: str) -> None:
    assert "FORMAT=PATH" in refused([text], ["lab"])


@pytest.mark.parametrize("other", ["-", "/dev/stdout"])
def test_standard_output_takes_one_report(other: str) -> None:
    assert "only one report can go to standard output" in refused(["json=-", f"sarif={other}"], ["lab"])


def test_two_reports_in_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link.md").symlink_to(tmp_path / "gate.md")
    for other in (f"{tmp_path}/gate.md", f"{tmp_path}/./gate.md", f"{tmp_path}/link.md"):
        assert "the same file" in refused([f"markdown={tmp_path}/gate.md", f"json={other}"], ["lab"])
    said = refused([f"json={tmp_path}/{{stack}}.out", f"sarif={tmp_path}/lab.out"], ["lab", "staging"])
    assert "the same file" in said


def test_a_directory_must_be_there(tmp_path: Path) -> None:
    assert f"no directory {tmp_path}/missing" in refused([f"json={tmp_path}/missing/gate.json"], ["lab"])
    assert "is a directory" in refused([f"json={tmp_path}"], ["lab"])


def test_a_file_that_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    assert "may not be written" in refused([f"json={tmp_path}/gate.json"], ["lab"])


def test_a_picture_shows_one_stack(tmp_path: Path) -> None:
    assert "{stack}" in refused([f"svg={tmp_path}/gate.svg"], ["lab", "staging"])
    assert "{stack}" in refused(["svg=-"], ["lab", "staging"])
    requests([f"svg={tmp_path}/gate.svg"], ["lab"])


def test_a_stack_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    assert "'/'" in refused([f"json={tmp_path}/{{stack}}"], ["../lab"])


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    said = refused(
        ["html=a", "json", f"sarif={tmp_path}/missing/a", f"svg={tmp_path}/a.svg"], ["lab", "staging"]
    )
    assert len(said.splitlines()) == 4


def test_devices_and_pipes_are_written_into() -> None:
    requests(["json=/dev/null", "sarif=/dev/full"], ["lab"])
