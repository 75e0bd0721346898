"""What a failed ssh means."""

from __future__ import annotations

import pytest

from access.ssh import HostUnreachable, failure
from playbooks.provider.run.request import Connection

HOST = Connection("192.0.2.1", "operator", "/key", "/known", 22)


@pytest.mark.parametrize(
    ("status", "words", "meaning"),
    [
        (255, "operator@192.0.2.1: Permission denied (publickey).", "does not accept the key"),
        (255, "No ED25519 host key is known for 192.0.2.1", "no host key of operator@192.0.2.1"),
        (255, "Host key verification failed.", "the host key of operator@192.0.2.1"),
        (1, "sudo: /etc/sudoers.d: Permission denied\nsudo: a password is required", "cannot become root"),
        (126, "bash: line 1: /usr/bin/python3: Permission denied", "Permission denied"),
        (127, "bash: line 1: python3: command not found", "python3 is not installed"),
    ],
)
def test_a_failed_login_is_told_from_what_failed_after_one(status: int, words: str, meaning: str) -> None:
    error = failure("eu-worker-1", HOST, status, words)
    assert meaning in str(error)
    assert ("does not accept the key" in str(error)) is (meaning == "does not accept the key")


def test_a_host_that_does_not_answer_is_unreachable() -> None:
    assert isinstance(failure("eu-worker-1", HOST, 255, "ssh: connect to host: timed out"), HostUnreachable)
