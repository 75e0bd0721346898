"""What a worker is asked to do. It travels over a pipe, never through argv, the environment or a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from access.ssh import Connection, Jump


@dataclass(frozen=True)
class RunRequest:
    """One playbook for one host."""

    run: str
    """Identifies the run on this machine and on the host; hexadecimal."""
    host: str
    phase: str
    playbook: str
    """Absolute path."""
    connection: Connection
    variables: Mapping[str, Any]
    secret_variables: Mapping[str, Any] = field(default_factory=dict)
    bootstrap_kubeconfig: str | None = None
    """When set, a join token is made in that cluster for the time of the run: variable `join_token`."""
    tokenless: bool = False
    """Whether the run goes on without a token where the cluster does not answer."""
    check: bool = False
    """Ansible's check mode: change nothing, and share the host's lock with other checks."""
    timeout: float = 1800.0
    """Seconds after which the run is cancelled."""
    patience: float | None = None
    """Seconds without a word of Ansible, as between the begin and the end of a task, after which the run is
    cancelled; None for those whose tasks may take as long as they need."""
    owner: str = ""
    """Who runs it, as others read it in the host's lock."""
    hold: Mapping[str, Any] = field(default_factory=dict)
    """What it shows to the lock of runbooks on the host: `run`, and the lock's `number` where that has to be
    there; empty for a run that holds none."""
    remote_directory: str = "/var/lib/crossmesh"
    """Where a run keeps its things on the host: its lock, its interpreter and Ansible's temporary files."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(line: str) -> RunRequest:
        values = json.loads(line)
        connection = values["connection"]
        jump = Jump(**connection["jump"]) if connection["jump"] else None
        return RunRequest(**{**values, "connection": Connection(**{**connection, "jump": jump})})
