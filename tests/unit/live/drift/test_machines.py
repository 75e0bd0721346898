"""Hosts in check mode: what would change, what cannot be told, and that every run ends in order."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from access.errors import Unanswered
from access.ssh import Connection, Jump, failure
from live.drift import machines
from live.drift.machines import Ways
from live.drift.model import Record
from playbooks.digest import roles_digest
from playbooks.phase import PLAYBOOKS, Phase
from playbooks.provider import runs
from playbooks.provider.look import reach_host
from playbooks.provider.run.request import RunRequest
from playbooks.work.clusters import CONTROL_PLANE
from playbooks.work.machines import PREPARE
from report.errors import CancelledError, OperationsError
from report.model import Op, PropertyChange, Status
from report.progress import Watch
from stacks.model import Ssh
from tests.unit.live.drift.support import host_phase, inquiry, record, secret, state_of

FAKE_SSH = Path(__file__).parents[2] / "playbooks" / "provider" / "fake_ssh.py"


@pytest.fixture
def port() -> Iterator[int]:
    """A port that accepts connections, as sshd's does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def ssh(port: int, key: str = "/here/key") -> Ssh:
    files = {"private_key_file": key} if key else {}
    return Ssh(user="operator", port=port, known_hosts_file="/here/known", **files)


def phase(host: str, name: Phase = PREPARE, **rest: Any) -> dict[str, Any]:
    return host_phase(host, name.name, {"base_x": 1}, **{"roles_digest": roles_digest(name), **rest})


class Playbooks:
    """Stands for logins and runs: answers as it is told, and remembers what it was asked."""

    def __init__(self, *answers: Any, login: Exception | None = None) -> None:
        self.answers = list(answers)
        self.login = login
        self.requests: list[RunRequest] = []
        self.cancelled = asyncio.Event()

    def ways(self) -> Ways:
        return Ways(self._reach, self._run, self._cancel)

    async def _reach(self, host: str, connection: Connection, wanted: object) -> None:
        if self.login:
            raise self.login

    async def _run(self, request: RunRequest, on_event: Any) -> runs.Outcome:
        self.requests.append(request)
        await on_event({"kind": "task", "task": "base : Look"})
        answer = self.answers.pop(0)
        if answer is None:
            await self.cancelled.wait()
            raise CancelledError(f"{request.host}: cancelled")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _cancel(self) -> None:
        self.cancelled.set()


def outcome(*changed: str, status: str = "successful", message: str = "") -> runs.Outcome:
    return runs.Outcome(status, message, changed, 5, 1.0)


def look_by(ways: Ways, declared: Ssh, *entries: dict[str, Any], **how: Any) -> Record:
    found = record("hosts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machines, "ways", lambda: ways)
        machines.look(inquiry(state_of(entries), ssh=declared, **how), found)
    return found


def look(
    port: int,
    playbooks: Playbooks,
    *entries: dict[str, Any],
    watch: Watch | None = None,
    key: str = "/here/key",
) -> Record:
    return look_by(playbooks.ways(), ssh(port, key), *entries, watch=watch)


def test_a_host_on_which_nothing_would_change_is_as_it_was_applied(port: int) -> None:
    secrets = {"secret_variables": {"control_plane_ca_private_key": secret("hunter2")}}
    playbooks = Playbooks(outcome())
    found = look(port, playbooks, phase("eu-cp-1", CONTROL_PLANE, **secrets))
    assert found.findings == []
    assert found.rows == {"eu-cp-1 control-plane": ("as applied", "as applied")}
    assert found.recognised == {"eu-cp-1"}
    (request,) = playbooks.requests
    assert request.check
    assert request.secret_variables == {"control_plane_ca_private_key": "hunter2"}
    assert request.bootstrap_kubeconfig is None
    assert (request.connection.user, request.connection.port) == ("operator", port)
    assert request.connection.private_key_file == "/here/key"


def test_tasks_that_would_change_a_host_are_drift(port: int) -> None:
    found = look(port, Playbooks(outcome("kubelet : Configure", "kubelet : Run")), phase("eu-worker-1"))
    (drifted,) = found.drifted
    assert drifted.op is Op.UPDATE
    assert drifted.properties[0] == PropertyChange("tasks.kubelet : Configure", "done", "to be done again")
    (finding,) = found.findings
    assert finding.status is Status.FAIL
    expected = "eu-worker-1 prepare: 2 of 5 tasks would change it: kubelet : Configure; kubelet : Run"
    assert finding.message == expected
    assert found.rows == {"eu-worker-1 prepare": ("as applied", "2 of 5 tasks would change it")}


def test_what_changed_roles_would_do_is_not_taken_for_drift(port: int) -> None:
    entry = phase("eu-worker-1", roles_digest="of another version")
    found = look(port, Playbooks(outcome("kubelet : Configure")), entry)
    (finding,) = found.findings
    assert finding.status is Status.NOT_MEASURABLE
    assert "roles have changed" in finding.message
    assert found.drifted == []
    assert look(port, Playbooks(outcome()), entry).findings == []


def test_a_check_that_stops_midway_tells_what_it_saw_and_where_it_stopped(port: int) -> None:
    stopped = outcome("a : b", status="failed", message="task 'join : Join': no\n  fix: mend it")
    found = look(port, Playbooks(stopped), phase("eu-worker-1"))
    assert [finding.status for finding in found.findings] == [Status.NOT_MEASURABLE, Status.FAIL]
    assert found.findings[0].message == "eu-worker-1 prepare: task 'join : Join': no"
    assert found.findings[0].fix == "mend it"


def test_a_host_that_was_made_a_member_in_another_way_has_drifted(port: int) -> None:
    words = "task 'join : Join': this cannot be changed on a host that is a member of a cluster: node is 'x'"
    found = look(port, Playbooks(outcome(status="failed", message=words)), phase("eu-worker-1"))
    assert [finding.status for finding in found.findings] == [Status.FAIL]
    assert [entry.path for drifted in found.drifted for entry in drifted.properties] == ["membership"]
    module = next(PLAYBOOKS.glob("collections/**/kubeadm.py"))
    assert machines._OTHER_MEMBER in module.read_text()


def test_a_worker_that_breaks_is_not_measurable(port: int) -> None:
    found = look(port, Playbooks(OperationsError("eu-worker-1: the process broke")), phase("eu-worker-1"))
    assert [finding.status for finding in found.findings] == [Status.NOT_MEASURABLE]


def test_a_host_that_does_not_answer_is_not_measurable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    found = look(closed, Playbooks(), phase("eu-worker-1"))
    (finding,) = found.findings
    assert (finding.rule, finding.status) == ("drift/hosts", Status.NOT_MEASURABLE)
    assert "nothing answers" in finding.message
    assert found.recognised == set()


def connection(port: int, private_key_file: str = "/here/key") -> Connection:
    return Connection("127.0.0.1", "operator", private_key_file, "/here/known", port)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A private key as ssh wants it."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    return tmp_path / "key"


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("operator@127.0.0.1: Permission denied (publickey).", True),
        ("Host key verification failed.", False),
        ("No ED25519 host key is known for 127.0.0.1 and you have requested strict checking.", False),
    ],
)
def test_a_host_that_is_another_or_refuses_us_is_an_error(
    port: int, key: Path, words: str, refused: bool
) -> None:
    error = failure("eu-worker-1", connection(port, str(key)), 255, words)
    found = look(port, Playbooks(login=error), phase("eu-worker-1"), key=str(key))
    assert [(finding.rule, finding.status) for finding in found.findings] == [
        ("drift/identity", Status.FAIL),
        ("drift/hosts", Status.NOT_MEASURABLE),
    ]
    assert found.findings[0].fix
    assert found.refused is refused


def test_a_refusal_where_the_agent_has_no_key_says_nothing_of_the_host(
    port: int, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for offered in ("", f"{key}.pub"):
        words = "operator@127.0.0.1: Permission denied (publickey)."
        error = failure("eu-worker-1", connection(port, offered), 255, words)
        (finding,) = look(port, Playbooks(login=error), phase("eu-worker-1"), key=offered).findings
        assert (finding.rule, finding.status) == ("drift/hosts", Status.NOT_MEASURABLE)
        assert "authentication agent" in finding.message


def test_a_jump_host_that_refuses_says_nothing_of_the_host_behind_it(port: int, key: Path) -> None:
    behind = replace(connection(port, str(key)), jump=Jump("192.0.2.9", "gate"))
    words = (
        "gate@192.0.2.9: Permission denied (publickey).\n"
        "kex_exchange_identification: Connection closed by remote host"
    )
    error = failure("eu-worker-1", behind, 255, words)
    (finding,) = look(port, Playbooks(login=error), phase("eu-worker-1"), key=str(key)).findings
    assert (finding.rule, finding.status) == ("drift/hosts", Status.NOT_MEASURABLE)


def test_a_missing_key_or_known_hosts_file_says_nothing_of_the_host(port: int, key: Path) -> None:
    for private_key_file, what in (("/here/key", "private key"), (str(key), "known hosts")):
        ways = replace(Playbooks().ways(), reach=reach_host)
        found = look_by(ways, ssh(port, private_key_file), phase("eu-worker-1"))
        (finding,) = found.findings
        assert (finding.rule, finding.status) == ("drift/hosts", Status.NOT_MEASURABLE)
        assert finding.message.startswith(f"eu-worker-1: the {what} file ")
        assert "does not exist" in finding.message
        assert finding.fix
        assert not found.refused


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        (lambda key: key.chmod(0o644), "bad permissions"),
        (lambda key: key.write_text("no key\n"), ""),
        (lambda key: key.unlink(), "No such file or directory"),
    ],
)
def test_a_key_that_ssh_cannot_use_here_was_refused_by_nobody(
    port: int, key: Path, break_it: Callable[[Path], Any], why: str
) -> None:
    break_it(key)
    error = failure("eu-worker-1", connection(port, str(key)), 255, "Permission denied (publickey).")
    found = look(port, Playbooks(login=error), phase("eu-worker-1"), key=str(key))
    (finding,) = found.findings
    assert (finding.rule, finding.status) == ("drift/hosts", Status.NOT_MEASURABLE)
    assert finding.message.startswith(f"eu-worker-1: ssh cannot use the private key {key} on this machine: ")
    assert finding.message.endswith(why)
    assert not found.refused


@pytest.mark.parametrize(
    "error",
    [
        failure("eu-worker-1", connection(22), 1, "sudo: a password is required"),
        failure("eu-worker-1", connection(22), 127, "bash: python3: command not found"),
        failure("eu-worker-1", connection(22), 1, "the host key of nobody does not accept the key"),
        OperationsError("eu-worker-1: operator does not become root: it has the user id 1000"),
        FileNotFoundError(2, "No such file or directory", "ssh"),
    ],
)
def test_what_else_stops_a_login_is_not_measurable(port: int, error: Exception) -> None:
    found = look(port, Playbooks(login=error), phase("eu-worker-1"))
    (finding,) = found.findings
    assert (finding.rule, finding.status) == ("drift/hosts", Status.NOT_MEASURABLE)
    assert finding.message.count("eu-worker-1") == 1
    assert found.recognised == set()
    assert not found.refused


def test_a_host_that_accepts_connections_and_does_not_let_in_is_not_measurable(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = look(port, Playbooks(login=Unanswered("eu-worker-1: it boots")), phase("eu-worker-1"))
    assert [finding.message for finding in found.findings] == ["eu-worker-1: it boots"]
    monkeypatch.setattr(machines, "REACH_SECONDS", 0.05)

    async def never(host: str, connection: Connection, wanted: object) -> None:
        await asyncio.sleep(60)

    found = look_by(replace(Playbooks().ways(), reach=never), ssh(port), phase("eu-worker-1"))
    assert "does not end within" in found.findings[0].message


def test_runs_end_when_the_time_is_over_and_the_others_count(port: int) -> None:
    entries = (phase("eu-worker-1"), phase("eu-worker-2"))
    began = time.monotonic()
    found = look(port, Playbooks(outcome(), None), *entries, watch=Watch(1.0))
    assert time.monotonic() - began < 10
    assert found.late
    assert list(found.rows) == ["eu-worker-1 prepare"]
    assert [finding.status for finding in found.findings] == [Status.NOT_MEASURABLE]


def test_without_hosts_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "ways", lambda: pytest.fail("it was started"))
    found = record("hosts")
    machines.look(inquiry(state_of([])), found)
    assert found.findings == []


def test_a_real_run_in_check_mode_tells_what_would_change_and_changes_nothing(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider's workers and Ansible, on a directory of this machine in the place of a host."""
    (tmp_path / "bin").mkdir()
    shutil.copy(FAKE_SSH, tmp_path / "bin" / "ssh")
    (tmp_path / "bin" / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    for name in ("key", "known"):
        (tmp_path / name).touch()
    playbook = tmp_path / "play.yml"
    tasks = f"[{{name: Write, ansible.builtin.copy: {{content: x, dest: {tmp_path}/written, mode: '0600'}}}}]"
    playbook.write_text(f"- hosts: all\n  gather_facts: false\n  tasks: {tasks}\n")
    real = machines.ways()

    async def run(request: RunRequest, on_event: Any) -> runs.Outcome:
        here = {"playbook": str(playbook), "remote_directory": str(tmp_path / "remote")}
        return await real.run(replace(request, **here), on_event)

    declared = Ssh(
        user="root", port=port, private_key_file=f"{tmp_path}/key", known_hosts_file=f"{tmp_path}/known"
    )
    said: list[str] = []
    watch = Watch(60)
    watch.at = said.append  # type: ignore[method-assign]
    found = look_by(replace(real, run=run), declared, phase("eu-worker-1"), watch=watch)
    (finding,) = found.findings
    assert finding.message == "eu-worker-1 prepare: 1 of 1 task would change it: Write"
    assert not (tmp_path / "written").exists()
    assert "eu-worker-1 prepare: Write" in said


def test_an_interrupt_ends_the_runs(port: int) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    began = time.monotonic()
    found = look(port, Playbooks(None), phase("eu-worker-1"), watch=Watch(60, stop))
    assert time.monotonic() - began < 10
    assert found.late
