"""The long suites: each can be started by itself."""

from __future__ import annotations

import subprocess
import sys

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
