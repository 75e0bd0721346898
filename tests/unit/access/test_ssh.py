"""What a failed ssh means."""

from __future__ import annotations

from pathlib import Path

import pytest

from access.errors import IdentityMismatch, Unanswered
from access.ssh import Connection, failure, inventory_variables, run

HOST = Connection("192.0.2.1", "operator", "/keys/id", "/keys/known_hosts", 2222)


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
    assert isinstance(failure("eu-worker-1", HOST, 255, "ssh: connect to host: timed out"), Unanswered)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `ssh` that writes down its arguments and runs the last of them."""
    program = tmp_path / "ssh"
    program.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nfor last; do :; done\nexec sh -c "$last"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_a_command_s_output_and_code_are_its_answer(fake: Path) -> None:
    done = run("eu-edge-1", HOST, "echo said; echo complained >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "said\n", "complained\n")


def test_host_keys_are_always_checked_against_the_stack_s_own_file(fake: Path) -> None:
    run("eu-edge-1", HOST, "true")
    arguments = (fake / "arguments").read_text()
    for expected in (
        "StrictHostKeyChecking=yes",
        'UserKnownHostsFile="/keys/known_hosts"',
        "GlobalKnownHostsFile=/dev/null",
        'IdentityFile="/keys/id"',
        "Port=2222",
        "User=operator",
        "192.0.2.1",
    ):
        assert expected in arguments


def test_a_connection_that_fails_says_why(fake: Path) -> None:
    with pytest.raises(IdentityMismatch, match=r"eu-edge-1: the host key of operator@192\.0\.2\.1"):
        run("eu-edge-1", HOST, "echo Host key verification failed. >&2; exit 255")


def test_a_host_that_hangs_is_given_up_in_time(fake: Path) -> None:
    with pytest.raises(Unanswered, match=r"eu-edge-1.* within 0 s"):
        run("eu-edge-1", HOST, "exec sleep 5", timeout=0.2)


def test_ansible_run_by_hand_checks_host_keys_as_we_do() -> None:
    arguments = inventory_variables(HOST)["ansible_ssh_common_args"]
    assert "StrictHostKeyChecking=yes" in arguments
    assert "GlobalKnownHostsFile=/dev/null" in arguments
