"""What a failed ssh means."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from access.errors import AccessError, CredentialsRefused, IdentityMismatch, Unanswered
from access.ssh import (
    Connection,
    Jump,
    ask,
    failure,
    inventory_variables,
    options,
    plain,
    python,
    run,
    script,
)
from stacks.model import Ssh

HOST = Connection("192.0.2.1", "operator", "/keys/id", "/keys/known_hosts", 2222)
BY_ROOT = replace(HOST, user="root")


@pytest.mark.parametrize(
    ("status", "words", "meaning"),
    [
        (255, "operator@192.0.2.1: Permission denied (publickey).", "does not accept the key"),
        (255, "No ED25519 host key is known for 192.0.2.1", "no host key of operator@192.0.2.1"),
        (255, "Host key verification failed.", "the host key of operator@192.0.2.1"),
        (1, "sudo: /etc/sudoers.d: Permission denied\nsudo: a password is required", "cannot become root"),
        (126, "bash: line 1: /usr/bin/python3: Permission denied", "Permission denied"),
        (127, "bash: line 1: python3: command not found", "python3 is not installed"),
        (1, "Traceback …\nOSError: [Errno 28] No space left on device", "a disk is full, and nothing can be"),
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
    done = run("eu-edge-1", BY_ROOT, ["sh", "-c", "echo said; echo complained >&2; exit 3"])
    assert (done.returncode, done.stdout, done.stderr) == (3, "said\n", "complained\n")


def test_host_keys_are_always_checked_against_the_stack_s_own_file(fake: Path) -> None:
    run("eu-edge-1", BY_ROOT, ["true"])
    arguments = (fake / "arguments").read_text()
    for expected in (
        "StrictHostKeyChecking=yes",
        'UserKnownHostsFile="/keys/known_hosts"',
        "GlobalKnownHostsFile=/dev/null",
        'IdentityFile="/keys/id"',
        "Port=2222",
        "User=root",
        "192.0.2.1",
    ):
        assert expected in arguments


def test_a_connection_that_fails_says_why(fake: Path) -> None:
    with pytest.raises(IdentityMismatch, match=r"eu-edge-1: the host key of root@192\.0\.2\.1"):
        run("eu-edge-1", BY_ROOT, ["sh", "-c", "echo Host key verification failed. >&2; exit 255"])


def test_a_host_that_hangs_is_given_up_in_time(fake: Path) -> None:
    with pytest.raises(Unanswered, match=r"eu-edge-1.* within 0\.2 s"):
        run("eu-edge-1", BY_ROOT, ["sleep", "5"], timeout=0.2)


def test_ansible_run_by_hand_checks_host_keys_as_we_do() -> None:
    arguments = inventory_variables(HOST)["ansible_ssh_common_args"]
    assert "StrictHostKeyChecking=yes" in arguments
    assert "GlobalKnownHostsFile=/dev/null" in arguments


JUMP = Jump("jump.example.test", "jump", 2200, "/keys/100%")
BEHIND = replace(HOST, jump=JUMP)


def effective(connection: Connection) -> dict[str, str]:
    """What ssh itself makes of our options."""
    command = ["ssh", "-G", *options(connection), connection.address]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)


def test_the_jump_host_is_reached_with_checked_keys_of_its_own() -> None:
    read = effective(BEHIND)
    assert read["port"] == "2222"
    words = read["proxycommand"]
    for expected in (
        "StrictHostKeyChecking=yes",
        'UserKnownHostsFile="/keys/known_hosts"',
        "GlobalKnownHostsFile=/dev/null",
        "Port=2200",
        "User=jump",
        "-W '[%h]:%p' jump.example.test",
    ):
        assert expected in words
    assert 'IdentityFile="/keys/100%%"' in words, "ssh fills in what stands after a per cent sign"


def test_a_connection_of_a_run_goes_through_nothing_but_its_own_socket() -> None:
    given = options(BEHIND, proxy_command="false")
    assert [word for word in given if word.startswith("ProxyCommand=")] == ["ProxyCommand=false"]


def test_without_a_key_the_agent_s_are_tried_and_no_file_of_the_user_s() -> None:
    read = effective(replace(HOST, private_key_file=""))
    assert read["identitiesonly"] == "no"
    assert "identityfile" not in read or read["identityfile"] == "none"


JUMP_ENDED = "kex_exchange_identification: Connection closed by remote host"


@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [
        (
            "No ED25519 host key is known for [jump.example.test]:2200\nHost key verification failed.\n"
            + JUMP_ENDED,
            AccessError,
            "its jump host: no host key of jump@jump.example.test port 2200",
        ),
        (
            f"jump@jump.example.test: Permission denied (publickey).\n{JUMP_ENDED}",
            AccessError,
            "its jump host: jump@jump.example.test port 2200 does not accept the key /keys/100%",
        ),
        (
            f"ssh: connect to host jump.example.test port 2200: Connection refused\n{JUMP_ENDED}",
            Unanswered,
            "its jump host: jump@jump.example.test port 2200 cannot be reached",
        ),
        (
            f"stdio forwarding failed\n{JUMP_ENDED}",
            Unanswered,
            "operator@192.0.2.1 port 2222 cannot be reached through jump@jump.example.test port 2200",
        ),
        (
            "operator@192.0.2.1: Permission denied (publickey).",
            CredentialsRefused,
            "operator@192.0.2.1 port 2222 does not accept the key /keys/id",
        ),
        (
            "No ED25519 host key is known for [192.0.2.1]:2222 and you have requested strict checking.",
            IdentityMismatch,
            "no host key of operator@192.0.2.1 port 2222",
        ),
    ],
)
def test_the_jump_host_s_failures_are_told_from_those_of_the_host_behind_it(
    words: str, kind: type[AccessError], told: str
) -> None:
    error = failure("eu-worker-1", BEHIND, 255, words)
    assert type(error) is kind, "of a host that was not seen it is said neither who it is nor whom it lets in"
    assert told in error.message


ASKS = '#!/bin/sh\nread -r word\n[ "$word" = "let me in" ] || exit 1\n'
SATISFIED = "#!/bin/sh\n"
PASS_ON = 'while [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'


@pytest.mark.parametrize("sudo", [ASKS, SATISFIED])
def test_a_password_is_given_to_sudo_and_to_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sudo: str
) -> None:
    program = tmp_path / "sudo"
    program.write_text(sudo + PASS_ON)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    connection = replace(HOST, become_password="let me in")
    source = script(connection, b"import sys; print(sys.stdin.readline(), end='')") + b"what follows\n"
    command = python(connection)
    assert "let me in" not in command
    assert "let me in" not in repr(connection)
    done = subprocess.run(["/bin/sh", "-c", command], input=source, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"what follows\n", b"")


@pytest.mark.parametrize("sudo", [ASKS, SATISFIED])
def test_a_command_has_the_right_of_root_and_nothing_of_the_password(fake: Path, sudo: str) -> None:
    (fake / "sudo").write_text(sudo + PASS_ON)
    (fake / "sudo").chmod(0o755)
    done = run("eu-edge-1", replace(HOST, become_password="let me in"), ["cat"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "let me in" not in (fake / "arguments").read_text()


def test_what_sudo_says_against_a_password_leads_to_the_secret() -> None:
    words = "Sorry, try again.\nsudo: 3 incorrect password attempts"
    error = failure("eu-worker-1", replace(HOST, become_password="wrong"), 1, words)
    assert "`becomePassword`" in error.fix
    assert "wrong" not in str(error)


def test_the_connection_of_a_resource_says_what_is_declared_and_no_secret() -> None:
    declared = yaml.safe_load(
        "{user: ops, knownHostsFile: /keys/known_hosts, becomePassword: sudo, "
        "jump: {address: j.example, user: jump}}"
    )
    values = plain(Ssh.model_validate(declared), "node.example")
    assert values == {
        "address": "node.example",
        "knownHostsFile": "/keys/known_hosts",
        "port": 22,
        "user": "ops",
        "jump": {"address": "j.example", "user": "jump", "port": 22},
    }
    connection = Connection.of(values, "let me in")
    assert connection.jump == Jump("j.example", "jump")
    assert connection.first_hop == ("j.example", 22)


ECHO = (
    b"import json; print('motd'); print(json.dumps({'got': json.loads(open(0, closefd=False).readline())}))"
)
"""A program that says what it is ordered, after what a login says."""


@pytest.fixture
def known(fake: Path) -> Connection:
    """A way whose files are there."""
    (fake / "known_hosts").touch()
    return replace(BY_ROOT, private_key_file="", known_hosts_file=str(fake / "known_hosts"))


def test_a_program_gets_its_order_by_its_input_and_answers_in_its_last_line(
    fake: Path, known: Connection
) -> None:
    assert ask("eu-cp-1", known, ECHO, {"word": "secret"}) == {"got": {"word": "secret"}}
    assert "secret" not in (fake / "arguments").read_text()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (b"print('what nobody asked for')", "not of the form that was asked for"),
        (b"raise SystemExit('it broke')", "it broke"),
        (b"", "not of the form"),
    ],
)
def test_a_program_that_does_not_answer_says_why(known: Connection, program: bytes, words: str) -> None:
    with pytest.raises(AccessError, match=words) as caught:
        ask("eu-cp-1", known, program, {})
    assert "what nobody" not in str(caught.value)
