"""The provider below the real engine: what its state remembers of a host that was left half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import toolchain
from access import host_lock
from access.host_lock import OnHost, Pass
from access.pending import settled
from playbooks.provider.runs import PROJECT
from playbooks.tokens import HOST_PHASE
from report.errors import LockedError
from tests.unit.playbooks.provider.support import Host

pytestmark = pytest.mark.timeout(600)

PROVIDER = """\
#!{python}
import pathlib
from playbooks.provider import runs
real = runs.RunRequest
def request(**values):
    playbook = pathlib.Path({playbooks!r}) / pathlib.Path(values["playbook"]).name
    return real(**{{**values, "playbook": str(playbook), "remote_directory": {remote!r}}})
runs.RunRequest = request
from access import host_lock
host_lock.DIRECTORY = {remote!r}
from playbooks.provider.__main__ import main
main()
"""
PROGRAM = """\
import json, pathlib, pulumi
from playbooks.provider.sdk import CrossmeshProvider, HostPhase
declared = json.loads(pathlib.Path("declared.json").read_text())
hosts = {"h1": declared["phases"]} if declared["there"] else {}
provider = CrossmeshProvider("crossmesh", preview=pulumi.runtime.is_dry_run(), hosts=hosts)
for host in hosts:
    HostPhase(host, host=host, phase="prepare", region="eu", connection=declared["connection"],
              reset_on_delete=True, variables=declared["variables"],
              opts=pulumi.ResourceOptions(provider=provider))
"""
PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Write
      ansible.builtin.copy: {content: "{{ word }}", dest: "{{ out }}/word", mode: "0600"}
    - name: Wait
      ansible.builtin.command: sleep 60
      when: word == "slow"
    - name: Fail
      ansible.builtin.fail: {msg: "the disk is full"}
      when: word == "bad"
"""
RESET = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Remove
      ansible.builtin.file: {path: "{{ out }}/word", state: absent}
"""


@dataclass
class Stack:
    """A stack of one host, in a backend of its own."""

    directory: Path
    host: Host
    phases: tuple[str, ...] = ("prepare",)
    """What the host is said to have; declared is the first."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "PULUMI_BACKEND_URL": f"file://{self.directory / 'backend'}",
            "PULUMI_HOME": str(self.directory / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "x",
            "PULUMI_PYTHON_CMD": sys.executable,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(toolchain.program("pulumi")), "--non-interactive", *arguments],
            cwd=self.directory / "project",
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def pulumi(self, *arguments: str, stdin: str = "", ends_with: int = 0) -> str:
        process = self.start(*arguments)
        words, _ = process.communicate(stdin, timeout=200)
        assert process.returncode == ends_with, words
        return words

    def declare(self, word: str | None) -> None:
        """Declare the host, with what stands on it; or no host."""
        path, connection = self.host.path, self.host.connection
        declared = {
            "there": word is not None,
            "phases": self.phases,
            "variables": {"word": word, "out": str(path)},
            "connection": {
                "address": connection.address,
                "user": connection.user,
                "privateKeyFile": connection.private_key_file,
                "knownHostsFile": connection.known_hosts_file,
            },
        }
        (self.directory / "project" / "declared.json").write_text(json.dumps(declared))

    def up(self, word: str | None, *, ends_with: int = 0) -> str:
        self.declare(word)
        return self.pulumi("up", "--yes", "--skip-preview", ends_with=ends_with)

    def state(self) -> dict[str, Any]:
        """As `pulumi stack export` has it, which takes a second more."""
        file = self.directory / "backend" / ".pulumi" / "stacks" / "p" / "s.json"
        return {"version": 3, "deployment": json.loads(file.read_text())["checkpoint"]["latest"]}

    def phase(self) -> dict[str, Any] | None:
        resources = self.state()["deployment"]["resources"]
        return next((resource for resource in resources if resource["type"] == HOST_PHASE), None)

    @property
    def word(self) -> str | None:
        """What stands on the host."""
        path = self.host.path / "word"
        return path.read_text() if path.exists() else None


@pytest.fixture
def stack(tmp_path: Path, host: Host) -> Stack:
    project, plugins = tmp_path / "project", tmp_path / "plugins"
    for directory in (project, plugins, tmp_path / "backend", tmp_path / "home"):
        directory.mkdir()
    (host.path / "prepare.yml").write_text(PLAY)
    (host.path / "reset.yml").write_text(RESET)
    (tmp_path / "home" / "logs").touch()
    provider = PROVIDER.format(python=sys.executable, playbooks=str(host.path), remote=str(host.remote))
    plugin = plugins / "pulumi-resource-crossmesh"
    plugin.write_text(provider)
    plugin.chmod(0o755)
    plugin_entry = {"name": "crossmesh", "path": str(plugins)}
    definition = {"name": "p", "runtime": "python", "plugins": {"providers": [plugin_entry]}}
    (project / "Pulumi.yaml").write_text(json.dumps(definition))
    (project / "__main__.py").write_text(PROGRAM)
    made = Stack(tmp_path, host)
    made.pulumi("stack", "init", "s")
    return made


def test_a_host_that_was_left_half_done_is_brought_back_though_the_declaration_is_the_old_one(
    stack: Stack,
) -> None:
    stack.up("one")
    finished = stack.phase()
    assert finished and "initErrors" not in finished
    assert "the disk is full" in stack.up("bad", ends_with=1)
    half_done = stack.phase()
    assert half_done and "the disk is full" in half_done["initErrors"][0]
    assert "digest" not in half_done["outputs"]
    stack.up("one")
    mended = stack.phase()
    assert stack.word == "one"
    assert mended and "initErrors" not in mended
    assert mended["outputs"]["digest"] == finished["outputs"]["digest"]


def test_a_host_whose_creation_failed_is_reset_when_it_is_taken_out_of_the_declaration(stack: Stack) -> None:
    stack.up("bad", ends_with=1)
    assert stack.word == "bad"
    stack.up(None)
    assert (stack.word, stack.phase()) == (None, None)


@pytest.mark.parametrize("before", ["one", None])
def test_a_host_that_a_killed_engine_left_half_done_is_finished_by_the_next_run(
    stack: Stack, before: str | None
) -> None:
    if before:
        stack.up(before)
    stack.declare("slow")
    killed = stack.start("up", "--yes", "--skip-preview")
    deadline = time.monotonic() + 120
    while stack.word != "slow":
        assert time.monotonic() < deadline, "the phase does not begin"
        time.sleep(0.1)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    stack.pulumi("cancel", "--yes", "s")
    assert stack.state()["deployment"]["pending_operations"], "the engine noted what it had begun"
    stack.pulumi(
        "stack", "import", stdin=json.dumps(settled(stack.state(), {HOST_PHASE: ("digest", "roles_digest")}))
    )
    words = stack.up(before)
    assert "pending operations" not in words
    assert (stack.word, stack.phase() is None) == (before, before is None)
    assert "pending_operations" not in stack.state()["deployment"]


def test_a_node_is_left_alone_while_a_runbook_holds_its_region_and_an_up_that_is_killed_leaves_no_lock(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_lock, "DIRECTORY", str(stack.host.remote))
    stack.phases = ("prepare", "control-plane")
    runbook = OnHost("h1", stack.host.connection)
    runbook.take("a1", "runbook drain-node")
    words = stack.up("one", ends_with=1)
    assert "h1 is held for runbook drain-node, run a1, by " in words
    assert "crossmesh runbook resume" in words
    assert (stack.word, stack.phase()) == (None, None), "nothing was begun"
    monkeypatch.setenv(host_lock.PASS, Pass("a1", {"h1": runbook.number}).to_json())
    stack.up("one")
    assert stack.word == "one"
    assert runbook.beat(), "its lock is where it was"
    monkeypatch.delenv(host_lock.PASS)
    runbook.give_back()
    stack.declare("slow")
    killed = stack.start("up", "--yes", "--skip-preview")
    deadline = time.monotonic() + 120
    while stack.word != "slow":
        assert time.monotonic() < deadline, "the phase does not begin"
        time.sleep(0.1)
    with pytest.raises(LockedError, match="h1 is held for pulumi up by "):
        OnHost("h1", stack.host.connection).take("b2", "runbook drain-node")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    began = time.monotonic()
    while not free(stack):
        assert time.monotonic() - began < host_lock.SECONDS / 2, "it is held for as long as it lives"
        time.sleep(0.2)


def free(stack: Stack) -> bool:
    """Whether a runbook gets the host."""
    try:
        OnHost("h1", stack.host.connection).take("b2", "runbook drain-node")
    except LockedError:
        return False
    return True
