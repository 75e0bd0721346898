"""A platform of its own for the tests: a lab, a stack and a state backend that share nothing with a person's.

Everything goes through the commands that users use; their output lands in one log file per command.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path
from typing import Any

import yaml

import lab
from access.cluster import Cluster
from access.outputs import Outputs, parse_outputs
from stacks.load import Stack, load_stack
from stacks.write import remove_secrets
from tests.lab.derived import derive

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "stacks" / "Pulumi.lab.yaml"
MARK = "CROSSMESH_TEST_MARK"
"""Every process that a site starts has this in its environment, so that survivors can be found."""

UP_SECONDS = 1500
LAB_SECONDS = 900


class CommandFailed(AssertionError):
    """A command did not end as expected; the message has its last words and where all of them are."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def words(self) -> str:
        """Everything that it said."""
        return self.stdout + self.stderr


def shell_environment(root: Path = ROOT) -> dict[str, str]:
    """What `eval "$(make -s env)"` leaves in a shell."""
    script = 'eval "$(make -s env)" && env -0'
    done = subprocess.run(["bash", "-c", script], cwd=root, capture_output=True, check=True, timeout=3600)
    pairs = (entry.partition("=") for entry in done.stdout.decode().split("\0") if entry)
    return {name: value for name, _, value in pairs}


class Site:
    """One lab with one stack. Nothing is started before it is asked for."""

    def __init__(
        self, name: str, logs: Path, environment: Mapping[str, str] | None = None, *, root: Path = ROOT
    ) -> None:
        """`name` is both the lab's and the stack's; `logs` a directory that outlives the tests; `root` the
        checkout whose commands are used.
        """
        self.name = name
        self.root = root
        self.logs = logs
        self.logs.mkdir(parents=True, exist_ok=True)
        self.mark = f"{name}-{os.getpid()}"
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        self.directory = state / "crossmesh" / "tests" / name
        (self.directory / "backend").mkdir(parents=True, exist_ok=True)
        passphrase = self.directory / "passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text("of the tests alone")
        self.environment = {
            **(environment or shell_environment(root)),
            "PULUMI_BACKEND_URL": f"file://{self.directory / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
            "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
            "PULUMI_DEBUG_COMMANDS": "1",  # shows the flag --event-log
            "PYTHONUNBUFFERED": "1",
            MARK: self.mark,
        }
        # Somebody's own would win over the file.
        self.environment.pop("PULUMI_CONFIG_PASSPHRASE", None)
        self.stack_file = root / "stacks" / f"Pulumi.{name}.yaml"
        self._count = 0

    # -- commands
    # ------------------------------------------------------------------------------------------------

    def start(self, *command: str, given: str = "") -> tuple[subprocess.Popen[bytes], Path]:
        """Start a command in a session of its own, with its output in a log file. given: its input."""
        self._count += 1
        log = self.logs / f"{self.name}-{self._count:03d}-{Path(command[0]).name}-{command[1]}.log"
        with (
            log.open("wb") as out,
            log.with_suffix(".err").open("wb") as err,
            tempfile.TemporaryFile() as stdin,
        ):
            stdin.write(given.encode())
            stdin.seek(0)
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env=self.environment,
                stdin=stdin,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        return process, log

    def run(self, *command: str, timeout: float = 120, check: bool = True, given: str = "") -> Ended:
        """Run a command to its end. Raises `CommandFailed` if it fails and `check` is set, or if it hangs."""
        began = time.monotonic()
        process, log = self.start(*command, given=given)
        shown = shlex.join(command)
        try:
            code = wait(process, timeout, shown)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait(30)
            raise CommandFailed(f"`{shown}` did not end within {timeout:.0f} s; see {log}") from None
        ended = Ended(
            code,
            log.read_text(errors="replace"),
            log.with_suffix(".err").read_text(errors="replace"),
            time.monotonic() - began,
        )
        if check and code != 0:
            raise CommandFailed(f"`{shown}` ended with {code}; see {log}:\n{ended.words[-4000:]}")
        return ended

    def pulumi(self, *arguments: str, timeout: float = 120, check: bool = True, given: str = "") -> Ended:
        """`pulumi ARGUMENTS --stack NAME`."""
        return self.run(
            "pulumi",
            *arguments,
            "--non-interactive",
            "--color=never",
            "--stack",
            self.name,
            timeout=timeout,
            check=check,
            given=given,
        )

    def crossmesh(self, *arguments: str, timeout: float = 240, check: bool = True) -> Ended:
        """`crossmesh ARGUMENTS --stack NAME`."""
        python = sys.executable
        return self.run(
            python, "-m", "operations", *arguments, "--stack", self.name, timeout=timeout, check=check
        )

    def without_network(self, *arguments: str, timeout: float = 240) -> Ended:
        """`crossmesh ARGUMENTS --stack NAME` with no network but loopback, as a container of a CI may be."""
        command = shlex.join([sys.executable, "-m", "operations", *arguments, "--stack", self.name])
        script = f"ip link set lo up && exec {command}"
        return self.run("unshare", "--net", "sh", "-c", script, timeout=timeout, check=False)

    def lab(self, verb: str, *arguments: str, timeout: float = LAB_SECONDS, check: bool = True) -> Ended:
        """`python -m lab VERB --name NAME ARGUMENTS`."""
        return self.run(
            sys.executable, "-m", "lab", verb, "--name", self.name, *arguments, timeout=timeout, check=check
        )

    def on(self, machine: str, command: str, *, check: bool = True) -> str:
        """Standard output of a shell command on a machine of the lab, as root."""
        return self.lab("exec", machine, "--", "sh", "-c", command, timeout=60, check=check).stdout

    def give_secret(self, name: str, text: str) -> None:
        """Set a secret of the stack. It reaches the engine by standard input, as an operator's would."""
        subprocess.run(
            ["pulumi", "config", "set", "--secret", name, "--stack", self.name, "--non-interactive"],
            input=text,
            text=True,
            cwd=self.root,
            env=self.environment,
            check=True,
            capture_output=True,
            timeout=60,
        )

    # -- the platform
    # --------------------------------------------------------------------------------------------

    @property
    def machines(self) -> dict[str, str]:
        """Address of each machine of the lab."""
        return dict(lab.addresses(self.name).machines)

    def prepare(self, described: Path | None = None) -> None:
        """Start the lab, the reference or another one, and declare the reference stack."""
        self.lab("start", *(("--spec", str(described)) if described else ()))
        self.declare()

    def declare(self) -> None:
        """Derive the stack's file from the reference; make the stack and its root key."""
        derive(self.root / "stacks" / REFERENCE.name, self.name, self.name)
        self.crossmesh("secrets", "init")

    def up(self, *arguments: str, timeout: float = UP_SECONDS, check: bool = True) -> Ended:
        """`pulumi up --yes`."""
        return self.pulumi("up", "--yes", *arguments, timeout=timeout, check=check)

    def outputs(self) -> Outputs:
        """The stack's outputs."""
        raw = json.loads(self.pulumi("stack", "output", "--json", "--show-secrets").stdout)
        return parse_outputs(self.name, raw)

    def resources(self) -> list[dict[str, Any]]:
        """Resources of the stack's state."""
        exported = json.loads(self.pulumi("stack", "export").stdout)
        return list(exported["deployment"].get("resources") or ())

    def declaration(self) -> Stack:
        """The stack's file, loaded."""
        return load_stack(self.stack_file)

    @contextmanager
    def clusters(self) -> Iterator[dict[str, Cluster]]:
        """Access to all clusters."""
        opened = {region: Cluster(region, text) for region, text in self.outputs().kubeconfigs.items()}
        try:
            yield opened
        finally:
            for cluster in opened.values():
                cluster.close()

    @contextmanager
    def changed_declaration(self, change: Mapping[str, Any] | str) -> Iterator[None]:
        """The stack's file with the change (text, or paths with values of `crossmesh:environment`), then as
        it was.
        """
        before = self.stack_file.read_text()
        try:
            if isinstance(change, str):
                self.stack_file.write_text(change)
            else:
                document = yaml.safe_load(before)
                for path, value in change.items():
                    at = document["config"]["crossmesh:environment"]
                    *parents, last = path.split(".")
                    for key in parents:
                        at = at[key]
                    at[last] = value
                self.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
            yield
        finally:
            self.stack_file.write_text(before)

    def ssh_sessions(self, since: float, until: float) -> dict[str, list[str]]:
        """Logins that each machine's ssh server accepted between two moments (seconds since the epoch)."""
        found = {}
        for machine in self.machines:
            log = self.on(
                machine,
                f"journalctl -q -o cat -u ssh -u sshd --since=@{floor(since)} --until=@{ceil(until)} || true",
            )
            found[machine] = [line for line in log.splitlines() if line.startswith("Accepted ")]
        return found

    # -- the end
    # -------------------------------------------------------------------------------------------------

    def destroy(self) -> None:
        """`pulumi destroy`, and the stack with it."""
        self.pulumi("destroy", "--yes", timeout=900)
        self.pulumi("stack", "rm", "--yes", "--preserve-config")

    def stop(self) -> None:
        """Stop the lab and remove what the site itself made. Works from any state."""
        self.lab("stop", check=False)
        if self.stack_file.is_file():
            remove_secrets(self.stack_file)
            self.stack_file.unlink()
        if self.directory.exists():
            shutil.rmtree(self.directory)


def wait(process: subprocess.Popen[bytes], timeout: float, shown: str) -> int:
    """Exit code of a process; says every half minute what is waited for. Raises
    `subprocess.TimeoutExpired`.
    """
    began = time.monotonic()
    while True:
        left = timeout - (time.monotonic() - began)
        try:
            return process.wait(min(30, max(0.1, left)))
        except subprocess.TimeoutExpired:
            if left <= 30:
                raise
            print(f"{time.monotonic() - began:.0f} s: {shown}", file=sys.__stderr__, flush=True)
