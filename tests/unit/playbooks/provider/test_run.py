"""Real runs: the worker, its guard and Ansible, against a directory of this machine."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from access.ssh import Connection
from playbooks.provider.run import directory as run_directory
from playbooks.provider.run import guard
from playbooks.provider.run.request import RunRequest
from playbooks.provider.runs import PROJECT, Event, Outcome, Runs
from report.errors import CancelledError, OperationsError
from tests.unit.playbooks.provider.support import Host

pytestmark = pytest.mark.anyio

WRITE = """
- name: Write
  ansible.builtin.copy: {content: "{{ word }}", dest: "{{ out }}/written", mode: "0600"}
"""
WAIT = """
- name: Begin
  ansible.builtin.copy: {content: "", dest: "{{ out }}/begun", mode: "0600"}
- name: Wait
  ansible.builtin.command: sleep {{ seconds }}
  ignore_errors: true
- name: Go on
  ansible.builtin.copy: {content: "", dest: "{{ out }}/went-on", mode: "0600"}
"""


OWN = """
- name: Write by a module of the collection
  crossmesh.nodes.config_files:
    files: [{path: "{{ out }}/etc/written", content: "{{ word }}"}]
- name: Look by a role of the collection
  ansible.builtin.include_role: {name: crossmesh.nodes.images}
"""


async def run(request: RunRequest) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []

    async def keep(event: Event) -> None:
        events.append(event)

    return await Runs().run(request, keep), events


@pytest.fixture
def worker() -> Iterator[Callable[[RunRequest], subprocess.Popen[str]]]:
    """Start a worker whose pipe and life the test holds."""
    started: list[subprocess.Popen[str]] = []

    def start(request: RunRequest) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "playbooks.provider.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdin
        process.stdin.write(request.to_json() + "\n")
        process.stdin.flush()
        return process

    yield start
    for process in started:
        if process.stdin:
            process.stdin.close()
        process.wait(timeout=60)


def until(condition: Callable[[], Any], what: str, timeout: float = 40) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.05)


def processes_with(text: str) -> list[int]:
    """Return the processes that have `text` in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in line and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


def nothing_is_left(host: Host, request: RunRequest) -> None:
    assert [path for path in host.remote.iterdir() if path.name != "lock"] == []
    base = Path(f"/dev/shm/crossmesh-{os.getuid()}")
    mine = [path for path in base.glob("*/artifacts/*") if path.name == request.run] if base.exists() else []
    assert mine == []


async def test_a_play_uses_roles_and_modules_of_the_collection(host: Host) -> None:
    outcome, _ = await run(host.request(OWN, variables={"out": str(host.path), "word": "text\n"}))
    assert outcome.status == "successful", outcome.message
    assert outcome.changed == ("Write by a module of the collection",)
    assert (host.path / "etc" / "written").read_text() == "text\n"
    again, _ = await run(host.request(OWN, variables={"out": str(host.path), "word": "text\n"}))
    assert again.changed == ()


async def test_a_run_tells_what_it_changed_and_leaves_nothing_behind(host: Host) -> None:
    request = host.request(WRITE, variables={"out": str(host.path), "word": "a {{ b }}"})
    outcome, events = await run(request)
    assert (outcome.status, outcome.changed) == ("successful", ("Write",))
    assert (host.path / "written").read_text() == "a {{ b }}", "values are no templates"
    assert [event["task"] for event in events if event["kind"] == "task"] == ["Write"]
    nothing_is_left(host, request)
    again, _ = await run(host.request(WRITE, variables={"out": str(host.path), "word": "a {{ b }}"}))
    assert again.changed == ()


async def test_check_mode_tells_what_would_change_and_changes_nothing(host: Host) -> None:
    outcome, _ = await run(host.request(WRITE, variables={"out": str(host.path), "word": "w"}, check=True))
    assert outcome.changed == ("Write",)
    assert not (host.path / "written").exists()


async def test_everything_goes_through_the_one_connection_that_holds_the_lock(host: Host) -> None:
    await run(host.request(WRITE, variables={"out": str(host.path), "word": "w"}))
    first, *others = host.ssh_calls()
    assert " -M " in first
    assert others, "Ansible has used ssh"
    for call in (first, *others):
        assert "StrictHostKeyChecking=yes" in call
        assert f'UserKnownHostsFile="{host.connection.known_hosts_file}"' in call
    assert all("ProxyCommand=false" in call for call in others)


async def test_secrets_are_in_no_argument_no_environment_no_file_and_no_message(host: Host) -> None:
    secret = "correct-horse-battery-staple"
    tasks = """
- name: Look around
  ansible.builtin.shell: |
    for pid in /proc/[0-9]*; do
      if grep -aqs {{ first }}-{{ second }} $pid/cmdline $pid/environ; then echo $pid; fi
    done > {{ out }}/processes
    grep -rals {{ first }}-{{ second }} /dev/shm {{ out }} > {{ out }}/files || true
- name: Fail with it
  ansible.builtin.fail: {msg: "it is {{ key }}"}
"""
    variables = {"out": str(host.path), "first": "correct-horse", "second": "battery-staple"}
    # The task's own command line holds the words apart only where the shell joins them.
    tasks = tasks.replace("{{ first }}-{{ second }}", "'{{ first }}''-''{{ second }}'")
    request = host.request(tasks, variables=variables, secret_variables={"key": secret})
    control = subprocess.Popen(["sleep", "300"], env={"SECRET": secret})
    try:
        outcome, events = await run(request)
    finally:
        control.kill()
        control.wait()
    assert outcome.status == "failed"
    assert (host.path / "processes").read_text().strip() == f"/proc/{control.pid}", (
        "it finds the control alone"
    )
    assert (host.path / "files").read_text().replace(str(host.path / "files"), "").strip() == ""
    assert secret not in json.dumps([outcome.message, events])
    assert "it is [secret]" in outcome.message


async def test_a_failure_names_the_task_and_the_words_of_the_command(host: Host) -> None:
    tasks = "- name: Break\n  ansible.builtin.command: sh -c 'echo the disk is full >&2; exit 7'"
    outcome, _ = await run(host.request(tasks))
    assert outcome.status == "failed"
    assert "task 'Break'" in outcome.message
    assert "the disk is full" in outcome.message
    assert "exit status 7" in outcome.message


async def test_a_failure_of_a_task_with_secrets_shows_none(host: Host) -> None:
    tasks = "- name: Hide\n  ansible.builtin.fail: {msg: 'open sesame'}\n  no_log: true"
    outcome, _ = await run(host.request(tasks))
    assert "sesame" not in outcome.message
    assert "no_log" in outcome.message


async def test_a_playbook_that_cannot_be_read_says_so(host: Host) -> None:
    outcome, _ = await run(host.request("- name: Odd\n  no_such_module_at_all: {}"))
    assert outcome.status == "failed"
    assert "no_such_module_at_all" in outcome.message


async def test_the_pipe_s_end_cancels_the_run_on_both_sides(host: Host) -> None:
    request = host.request(WAIT, variables={"out": str(host.path), "seconds": 61.5})
    events: list[Event] = []
    runs = Runs()

    async def keep(event: Event) -> None:
        events.append(event)

    running = asyncio.create_task(runs.run(request, keep))
    for _ in range(800):
        if processes_with("61.5"):
            break
        await asyncio.sleep(0.05)
    await runs.cancel()
    with pytest.raises(CancelledError, match=r"processes of the run were ended on the host"):
        await running
    assert processes_with("61.5") == []
    assert not (host.path / "went-on").exists()
    nothing_is_left(host, request)


def test_a_killed_worker_leaves_nothing_that_goes_on(
    host: Host, worker: Callable[[RunRequest], subprocess.Popen[str]]
) -> None:
    request = host.request(WAIT, variables={"out": str(host.path), "seconds": 62.5})
    process = worker(request)
    until(lambda: processes_with("62.5"), "the task has begun")
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not processes_with("62.5"), "the host's guard has ended the task", 15)
    until(lambda: not processes_with(request.playbook), "ansible-playbook has ended", 10)
    until(lambda: [path.name for path in host.remote.iterdir()] == ["lock"], "the guard has gone", 10)
    time.sleep(0.5)
    assert not (host.path / "went-on").exists(), (
        "the task's error is ignored, so only the cut keeps the next away"
    )


def test_a_change_waits_for_a_preview_that_looks_at_the_host(
    host: Host, worker: Callable[[RunRequest], subprocess.Popen[str]]
) -> None:
    """A preview in CI, of whatever, must not make the change fail that somebody begins meanwhile."""
    with subprocess.Popen(
        [sys.executable, str(Path(guard.__file__).with_name("guard_script.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as preview:
        assert preview.stdin and preview.stdout
        lock = {"shared": True, "directory": str(host.remote), "look_timeout": 9}
        order = {"run": "preview", "owner": "", **lock}
        preview.stdin.write(json.dumps(order) + "\n")
        preview.stdin.flush()
        assert json.loads(preview.stdout.readline())["event"] == "locked"
        change = worker(host.request(WRITE, variables={"out": str(host.path), "word": "w"}))
        assert change.stdout
        words = next(line for line in change.stdout if "waiting for the lock" in line)
        assert "held by a preview" in words
        for _ in range(8):
            time.sleep(0.6)
            preview.stdin.write(".\n")
            preview.stdin.flush()
        preview.stdin.write("end\n")
        preview.stdin.flush()
        outcome = json.loads(change.stdout.readlines()[-1])
    assert outcome["status"] == "successful", outcome


def test_a_host_is_changed_by_one_run_at_a_time_and_the_other_names_it(
    host: Host, worker: Callable[[RunRequest], subprocess.Popen[str]]
) -> None:
    worker(host.request(WAIT, variables={"out": str(host.path), "seconds": 63.5}))
    until(lambda: processes_with("63.5"), "the task has begun")
    other = worker(host.request(WRITE, variables={"out": str(host.path), "word": "w"}, owner="me"))
    assert other.stdout
    outcome = json.loads(other.stdout.readlines()[-1])
    assert outcome["status"] == "failed"
    assert "another run is changing the host: somebody@somewhere, process 1" in outcome["message"]
    assert not (host.path / "written").exists()


def held_for_a_runbook(host: Host, seconds_ago: float = 0.0) -> None:
    """The lock of runbooks on the host, as a runbook leaves it there."""
    host.remote.mkdir(exist_ok=True)
    now = time.time() - seconds_ago
    lock = {"run": "a1", "number": 3, "owner": "other@desk, process 5", "what": "runbook drain-node"}
    (host.remote / "runbook").write_text(json.dumps({**lock, "since": now - 60, "beat": now}))


async def test_a_run_is_refused_where_a_runbook_of_somebody_else_has_the_host(host: Host) -> None:
    held_for_a_runbook(host)
    outcome, events = await run(host.request(WRITE, variables={"word": "x", "out": str(host.path)}))
    assert outcome.status == "failed"
    assert (
        "host-1 is held for runbook drain-node, run a1, by other@desk, process 5, since 20" in outcome.message
    )
    assert "crossmesh runbook resume" in outcome.message
    assert not (host.path / "written").exists()
    assert {"kind": "begun"} not in events, "the state takes it for what it was"


@pytest.mark.parametrize("hold", [{"run": "a1", "number": 3}, {"run": "a1", "number": 0}])
async def test_a_run_that_the_runbook_drives_is_let_in_by_what_it_shows(
    host: Host, hold: dict[str, Any]
) -> None:
    held_for_a_runbook(host)
    outcome, _ = await run(host.request(WRITE, variables={"word": "x", "out": str(host.path)}, hold=hold))
    assert (outcome.status, outcome.message) == ("successful", "")


async def test_a_run_is_refused_once_the_lock_that_it_goes_by_is_another_s(host: Host) -> None:
    held_for_a_runbook(host)
    variables = {"word": "x", "out": str(host.path)}
    for hold in ({"run": "a1", "number": 2}, {"run": "up-1", "number": 2}):
        outcome, _ = await run(host.request(WRITE, variables=variables, hold=hold))
        assert "the lock of this run there is lost; it is held for runbook drain-node" in outcome.message
    (host.remote / "runbook").write_text(json.dumps({"number": 3, "beat": time.time()}))
    outcome, _ = await run(host.request(WRITE, variables=variables, hold={"run": "a1", "number": 3}))
    assert "nothing was heard of it for 60 s" in outcome.message
    assert not (host.path / "written").exists()


async def test_a_lock_without_a_word_for_a_minute_and_a_preview_refuse_nobody(host: Host) -> None:
    variables = {"word": "x", "out": str(host.path)}
    held_for_a_runbook(host)
    outcome, _ = await run(host.request(WRITE, variables=variables, check=True))
    assert outcome.status == "successful", "who only looks is let in"
    held_for_a_runbook(host, seconds_ago=61)
    outcome, _ = await run(host.request(WRITE, variables=variables))
    assert outcome.status == "successful"


async def test_the_lock_and_the_processes_of_a_dead_run_are_taken_over(host: Host) -> None:
    host.remote.mkdir()
    (host.remote / "lock").write_text(json.dumps({"run": "deadbeef", "owner": "a dead run"}))
    (host.remote / "run-deadbeef").mkdir()
    left = subprocess.Popen(["sleep", "64.5"], env={"CROSSMESH_RUN": "deadbeef"})
    outcome, events = await run(host.request(WRITE, variables={"out": str(host.path), "word": "w"}))
    assert outcome.status == "successful"
    assert left.wait(timeout=5) != 0
    assert any("took over the lock of a dead run; ended 1" in event.get("text", "") for event in events)
    assert [path.name for path in host.remote.iterdir()] == ["lock"]


def test_directories_of_dead_processes_are_removed_at_the_next_start() -> None:
    base = run_directory.base_directory()
    dead = base / "1-12345-cafe"
    dead.mkdir()
    mine = run_directory.create()
    run_directory.remove_leftovers()
    assert not dead.exists()
    assert mine.exists()
    assert mine.stat().st_mode & 0o077 == 0
    shutil.rmtree(mine)


@pytest.mark.parametrize(
    ("address", "words"),
    [("changed-key.test", "the host key of root@changed-key.test"), ("unreachable.test", "No route to host")],
)
async def test_a_host_that_cannot_be_used_is_explained(host: Host, address: str, words: str) -> None:
    connection = Connection(
        address, "root", host.connection.private_key_file, host.connection.known_hosts_file
    )
    outcome, _ = await run(host.request(WRITE, connection=connection))
    assert outcome.status == "failed"
    assert words in outcome.message
    assert "fix: " in outcome.message


async def test_a_missing_key_is_said_before_anything_is_tried(host: Host) -> None:
    connection = Connection("localhost", "root", "/nowhere/key", host.connection.known_hosts_file)
    outcome, _ = await run(host.request(WRITE, connection=connection))
    assert "the private key file /nowhere/key does not exist" in outcome.message
    assert host.ssh_calls() == []


async def test_a_run_has_an_end(host: Host) -> None:
    outcome, _ = await run(
        host.request(WAIT, variables={"out": str(host.path), "seconds": 65.5}, timeout=4.0)
    )
    assert outcome.status == "failed"
    assert "not finished after 4 s" in outcome.message
    assert processes_with("65.5") == []


async def test_one_that_only_looks_ends_over_a_task_that_hangs_not_over_many(host: Host) -> None:
    """All hosts at once on a busy machine took more than a minute each, and were ended where nothing hung."""
    steps = "\n".join(
        f"""
- name: Look {number}
  ansible.builtin.command: sleep 1.2
  check_mode: false
  changed_when: false
"""
        for number in range(6)
    )
    request = host.request(steps, check=True)
    outcome, _ = await run(replace(request, patience=5.0))
    assert outcome.status == "successful", outcome.message
    assert outcome.seconds > 6
    outcome, _ = await run(
        replace(host.request(WAIT, variables={"out": str(host.path), "seconds": 65.5}), patience=5.0)
    )
    assert outcome.status == "failed"
    assert "nothing was heard of it for 5 s (in task '" in outcome.message
    assert processes_with("65.5") == []


async def test_what_a_run_left_behind_on_this_machine_makes_no_directory_anew(host: Host) -> None:
    script = host.path / "late.sh"
    script.write_text(f"sleep 2; mkdir -p $ANSIBLE_HOME/late; touch {host.path}/late")
    command = f"nohup setsid sh {script} > /dev/null 2>&1 &"
    tasks = f"""
- name: Leave a process behind
  ansible.builtin.debug: {{msg: "{{{{ lookup('pipe', '{command}') }}}}"}}
"""
    outcome, _ = await run(host.request(tasks))
    assert outcome.status == "successful", outcome.message
    time.sleep(3)
    assert not (host.path / "late").exists()


async def test_a_worker_that_breaks_is_reported_with_its_last_words(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunRequest, "to_json", lambda _: "no JSON")
    with pytest.raises(OperationsError, match="JSONDecodeError"):
        await run(host.request(WRITE))


SUDO = """\
#!/bin/sh
prompt=
while [ $# -gt 0 ]; do
  case "$1" in -p) prompt=$2; shift 2;; -u) shift 2;; --) shift; break;; -*) shift;; *) break;; esac
done
printf '%s' "$prompt" >&2
read -r word
[ "$word" = "let {{ me in" ] || { echo "sudo: 1 incorrect password attempt" >&2; exit 1; }
exec "$@"
"""


async def test_a_password_for_sudo_reaches_it_and_nothing_else(host: Host) -> None:
    sudo = host.path / "bin" / "sudo"
    sudo.write_text(SUDO)
    sudo.chmod(0o755)
    connection = replace(host.connection, user="ops", become_password="let {{ me in")
    request = host.request(
        """
- name: Write
  ansible.builtin.copy: {content: "as {{ ansible_become }}", dest: "{{ out }}/written", mode: "0600"}
- name: Tell
  ansible.builtin.fail: {msg: "the word is let {{ '{{' }} me in"}
""",
        connection=connection,
    )
    outcome, events = await run(request)
    assert (host.path / "written").read_text() == "as True"
    assert outcome.message == "task 'Tell': the word is [secret]", outcome.message
    assert "me in" not in json.dumps(events)
    assert not any("me in" in call for call in host.ssh_calls())
    wrong = replace(request, run="0" * 16, connection=replace(connection, become_password="other"))
    outcome, _ = await run(wrong)
    assert "ops cannot become root: sudo: 1 incorrect password attempt" in outcome.message
    assert "`becomePassword`" in outcome.message
