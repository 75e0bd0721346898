"""An interrupt while modules are loaded: the first third of a second of every verb."""

from __future__ import annotations

import subprocess
import sys

import pytest

from report.exit_codes import ExitCode
from tests.unit.operations.support import ROOT

_INTERRUPTED_AT = """
import os, runpy, signal, sys
class Finder:
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
sys.argv[1:] = {arguments!r}
runpy.run_module("operations", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("operations.cli", "drift --stack lab"),
        ("click", "drift --stack lab"),
        ("report.errors", "drift --stack lab"),
        ("operations.commands.drift", "drift --stack lab"),
        ("live.drift.run", "drift --stack lab"),
        ("operations.commands.up", "--help"),
        ("operations.commands.gate", "gate --help"),
    ],
)
def test_an_interrupt_while_modules_are_loaded_is_one_line_and_the_code_for_it(
    module: str, words: str
) -> None:
    program = _INTERRUPTED_AT.format(module=module, arguments=words.split())
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (ExitCode.CANCELLED, "Error: interrupted.\n")
    assert ended.stdout == ""
