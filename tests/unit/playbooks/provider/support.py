"""A host that is this machine, reached by a stand-in for ssh, and an engine that keeps what it was told."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from access.ssh import Connection
from playbooks.provider.run.request import RunRequest


@dataclass
class FakeEngine:
    """Collects messages in the place of the engine."""

    said: list[tuple[str, str]] = field(default_factory=list)

    async def log(self, kind: str, urn: str, message: str) -> None:
        self.said.append((kind, message))

    def text(self, kind: str) -> str:
        return "\n".join(message for said, message in self.said if said == kind)


@dataclass
class Host:
    """A directory of this machine that a run takes for a host."""

    path: Path
    connection: Connection

    @property
    def remote(self) -> Path:
        return self.path / "remote"

    def ssh_calls(self) -> list[str]:
        log = self.path / "ssh.log"
        return log.read_text().splitlines() if log.exists() else []

    def request(self, tasks: str, **values: Any) -> RunRequest:
        """Return a request for a play of `tasks` (YAML)."""
        playbook = self.path / "play.yml"
        indented = "\n".join(f"    {line}" for line in tasks.strip("\n").splitlines())
        playbook.write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{indented}\n")
        defaults = {
            "run": secrets.token_hex(8),
            "host": "host-1",
            "phase": "prepare",
            "playbook": str(playbook),
            "connection": self.connection,
            "variables": {"out": str(self.path)},
            "owner": "somebody@somewhere, process 1",
            "remote_directory": str(self.remote),
        }
        return RunRequest(**{**defaults, **values})
