from __future__ import annotations

from typing import Any

import pytest

from playbooks.provider import remedies
from playbooks.provider.run.events import Progress


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("[Errno 28] No space left on device", "a disk of eu-1 is full"),
        ("apt failed: E: You don't have enough free space in /var/cache/apt/archives/.", "make room"),
        ('failed calling webhook "all.example.test": no endpoints', "the webhook all.example.test"),
        ("nobody knows", "mend the cause and run again"),
    ],
)
def test_a_failure_names_what_mends_it(message: str, words: str) -> None:
    assert words in remedies.remedy("eu-1", message)


def test_a_host_that_went_away_in_the_middle_is_said_to_be_looked_at_and_the_phase_to_start_over() -> None:
    progress = Progress(lambda kind, **values: None, lambda text: text)
    words = "Failed to connect to the host via ssh: \n closed"
    lost: dict[str, Any] = {"task": "Copy", "res": {"msg": words}}
    progress({"event": "runner_on_unreachable", "event_data": lost})
    assert progress.failure == (
        "task 'Copy': the connection to the host was lost: Failed to connect to the host via ssh: closed"
    )
    told = remedies.remedy("eu-1", progress.failure)
    assert "crossmesh preflight --host eu-1" in told
    assert "the phase starts over" in told
