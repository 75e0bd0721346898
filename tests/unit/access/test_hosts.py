from __future__ import annotations

from pathlib import Path

import pytest

from access.hosts import HostAccessError, run_on
from stacks.model import Ssh

SSH = Ssh(private_key_file="/keys/id", known_hosts_file="/keys/known_hosts", port=2222)


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
    done = run_on(SSH, "10.0.0.1", "echo said; echo complained >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "said\n", "complained\n")


def test_host_keys_are_always_checked_against_the_stack_s_own_file(fake: Path) -> None:
    run_on(SSH, "10.0.0.1", "true")
    arguments = (fake / "arguments").read_text()
    for expected in (
        "StrictHostKeyChecking=yes",
        "UserKnownHostsFile=/keys/known_hosts",
        "GlobalKnownHostsFile=/dev/null",
        "-i /keys/id",
        "-p 2222",
        "root@10.0.0.1",
    ):
        assert expected in arguments


def test_a_connection_that_fails_says_why(fake: Path) -> None:
    with pytest.raises(HostAccessError, match=r"10\.0\.0\.1: Host key verification failed"):
        run_on(SSH, "10.0.0.1", "echo Host key verification failed. >&2; exit 255")


def test_a_host_that_hangs_is_given_up_in_time(fake: Path) -> None:
    with pytest.raises(HostAccessError, match="within 0 s"):
        run_on(SSH, "10.0.0.1", "exec sleep 5", timeout=0.2)
