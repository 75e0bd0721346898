"""What is said while a command works."""

from __future__ import annotations

import io

import pytest

from report import progress


class Full(io.StringIO):
    """A stream whose disk is full."""

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


class FullTerminal(Full):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [None, Full(), FullTerminal()])
def test_nobody_who_hears_how_far_it_is_stops_no_work(
    stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress.Progress(stream) as said:
        said._began -= 60
        said.say("lab", "the engine previews")


def test_where_lines_cannot_be_overwritten_each_is_said_whole() -> None:
    stream = io.StringIO()
    with progress.Progress(stream) as said:
        said._began -= 60
        said.say("lab", "the engine previews")
        said.say("lab", "too soon after that")
    assert stream.getvalue() == "lab: the engine previews (60 s)\n"
