"""`crossmesh --version` and shell completion."""

from __future__ import annotations

import shutil
import subprocess
import tomllib

import pytest
import yaml
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from operations.cli import VERBS, crossmesh, verb
from operations.commands.completion import SHELLS
from playbooks.phase import COLLECTION
from playbooks.provider import provider
from tests.unit.operations.support import ROOT


def completions(*words: str, incomplete: str = "") -> set[str]:
    """What a shell would offer."""
    complete = ShellComplete(crossmesh, {}, "crossmesh", "_CROSSMESH_COMPLETE")
    return {item.value for item in complete.get_completions(list(words), incomplete)}


def test_the_version_is_that_of_the_project() -> None:
    with (ROOT / "pyproject.toml").open("rb") as stream:
        version = tomllib.load(stream)["project"]["version"]
    assert (
        CliRunner().invoke(crossmesh, ["--version"], prog_name="crossmesh").output == f"crossmesh {version}\n"
    )
    assert provider.version() == version
    galaxy = yaml.safe_load((COLLECTION / "galaxy.yml").read_text())
    assert galaxy["version"] == version, "a collection's file cannot read it elsewhere"


def test_a_shell_completes_verbs_and_names_of_stacks() -> None:
    assert {"ask", "doctor", "gate", "up"} <= completions()
    assert completions("gate", "--stack", incomplete="pro") == {"production"}
    assert {"lab", "production", "staging"} <= completions("doctor", "-s")


def test_a_verb_that_is_run_by_itself_has_the_same_options_for_help() -> None:
    for name in VERBS:
        command = verb(name)
        context = command.make_context(name, [], resilient_parsing=True)
        assert command.get_help_option_names(context) == ["-h", "--help"]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script(shell: str) -> None:
    done = CliRunner().invoke(crossmesh, ["completion", shell], prog_name="crossmesh")
    assert done.exit_code == 0, done.output
    assert "_CROSSMESH_COMPLETE" in done.output
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.output, text=True, check=True)
