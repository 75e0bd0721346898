"""The long suites: each can be started by itself."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from lab.addressing import check_name
from tests.lab.acceptance import results
from tests.lab.site import ROOT

SUITES = sorted(path.stem for path in (ROOT / "tests" / "lab" / "acceptance").glob("test_*.py"))
LOAD = """
import importlib, sys
for suite in sys.argv[1:]:
    for name in [name for name in sys.modules if name.startswith("tests.lab.acceptance")]:
        del sys.modules[name]
    importlib.import_module(f"tests.lab.acceptance.{suite}")
"""


def test_each_suite_can_be_loaded_first() -> None:
    """What suites take from each other they take in one direction."""
    command = [sys.executable, "-c", LOAD, *SUITES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_each_lab_that_a_test_starts_may_have_its_name() -> None:
    """Said by the suite's first minute else, or by its twentieth where a lab comes later."""
    texts = [path.read_text() for path in (ROOT / "tests" / "lab").rglob("*.py")]
    named = {name for text in texts for name in re.findall(r'"(test-[a-z0-9-]+)"', text)}
    assert {"test-ci", "test-upgrade"} <= named
    assert {check_name(name) for name in named} == named


def test_a_result_names_neither_this_computer_nor_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results.socket, "gethostname", lambda: "bench")
    monkeypatch.setattr(results.getpass, "getuser", lambda: "ada")
    monkeypatch.setenv("HOME", "/home/ada")
    told = results.without_names("by process 7 of ada@bench (/home/ada/.local/state/lock); /home/adam")
    assert told == "by process 7 of USER@HOST (~/.local/state/lock); /home/adam"
