"""Exit codes: written once, the same everywhere."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from operations.cli import crossmesh
from report.exit_codes import WORST_FIRST, ExitCode

EXAMINE = ("gate", "drift", "up", "doctor", "status")


def test_every_code_has_its_rank_and_its_meaning() -> None:
    assert sorted(WORST_FIRST) == sorted(ExitCode)
    assert all(code.meaning for code in ExitCode)


@pytest.mark.parametrize("verb", EXAMINE)
def test_the_help_of_a_command_has_its_codes_with_the_words_of_the_page(verb: str) -> None:
    words = CliRunner().invoke(crossmesh, [verb, "--help"]).output
    assert "Exit codes:" in words
    assert f"  {ExitCode.CLEAN:2}  {ExitCode.CLEAN.meaning}" in words


def test_every_code_is_one_that_some_command_ends_with() -> None:
    helps = "".join(CliRunner().invoke(crossmesh, [verb, "--help"]).output for verb in EXAMINE)
    assert [code for code in ExitCode if code.meaning not in helps] == []
