from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import process_tree

MEBIBYTE = 2**20
BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])\n"
ORPHAN = (
    f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {BURN!r}], start_new_session=True)\n"
)
HOLD = "import time\nheld = b'x' * (100 * 2**20)\ntime.sleep(0.8)\n"
HOLD_IN_CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {HOLD!r}])\n"


def run(directory: Path, program: str, timeout: float = 60) -> process_tree.Usage:
    return process_tree.run(
        [sys.executable, "-c", program],
        directory=directory,
        environment=os.environ,
        stdout=directory / "stdout",
        timeout=timeout,
    )


@pytest.mark.parametrize("program", [BURN, CHILD, ORPHAN], ids=["own", "child", "orphan"])
def test_processor_time_is_that_of_everything_that_was_started(tmp_path: Path, program: str) -> None:
    found = run(tmp_path, program)
    assert found.code == 0
    assert 0.3 <= found.processor_seconds < 5


def test_memory_is_the_most_that_all_held_at_once(tmp_path: Path) -> None:
    found = run(tmp_path, HOLD_IN_CHILD)
    assert 100 * MEBIBYTE < found.peak_bytes < 300 * MEBIBYTE
    assert sum(found.peak_by_program.values()) == found.peak_bytes


def test_what_a_program_says_and_how_it_ends_is_kept(tmp_path: Path) -> None:
    found = run(tmp_path, "import sys\nprint('out')\nprint('words', file=sys.stderr)\nsys.exit(3)\n")
    assert (found.code, found.output, (tmp_path / "stdout").read_text()) == (3, "words\n", "out\n")


def test_a_program_that_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    endless = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n"
    program = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {endless!r}])\n"
    with pytest.raises(subprocess.TimeoutExpired):
        run(tmp_path, program, timeout=1)
    child = int((tmp_path / "stdout").read_text())
    assert not Path(f"/proc/{child}").exists()


def test_other_children_are_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.exit(7)"]) as other:
        run(tmp_path, "")
        assert other.wait() == 7
