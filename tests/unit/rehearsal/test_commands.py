"""Commands in the twin's surroundings: their words are heard, their ends are told."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from rehearsal.commands import Surroundings
from rehearsal.errors import RehearsalError


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def here(tmp_path: Path, heard: list[str]) -> Surroundings:
    return Surroundings(tmp_path, dict(os.environ), heard.append)


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_what_a_command_says_of_its_work_is_heard_line_by_line(here: Surroundings, heard: list[str]) -> None:
    ended = here.run(
        python("import sys; print('first', file=sys.stderr); print(); print(sys.stdin.read())"),
        timeout=20,
        stdin="given",
    )
    assert heard == ["first"]
    assert (ended.code, ended.stdout) == (0, "\ngiven\n")


def test_a_failure_is_told_with_the_command_and_its_last_words(here: Surroundings) -> None:
    with pytest.raises(RehearsalError, match=r"(?s)failed \(exit code 3\).*no disk"):
        here.run(python("import sys; print('no disk', file=sys.stderr); sys.exit(3)"), timeout=20)
    assert here.run(python("raise SystemExit(3)"), timeout=20, check=False).code == 3


def test_one_that_hangs_is_ended(here: Surroundings) -> None:
    began = time.monotonic()
    with pytest.raises(RehearsalError, match="did not end within 1 s"):
        here.run(python("import time; time.sleep(60)"), timeout=1, check=False)
    assert time.monotonic() - began < 20


def test_an_interrupt_ends_the_command_before_it_goes_on(here: Surroundings, tmp_path: Path) -> None:
    """It has a session of its own, and the terminal's interrupt does not reach it."""
    pid = tmp_path / "pid"
    text = f"open({str(pid)!r}, 'w').write(str(os.getpid())); print('on', flush=True); time.sleep(60)"

    class Interrupted(BaseException):
        pass

    def interrupt(words: str) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        Surroundings(tmp_path, dict(os.environ), interrupt).run(
            python(f"import os, sys, time; sys.stdout = sys.stderr; {text}"), timeout=30
        )
    assert threading.active_count() < 50
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
