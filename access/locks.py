"""Locks of the file backend: who holds a stack, and whether that process still lives.

The backend's lock outlives a process that was killed, and `pulumi cancel` removes every lock without asking
whose it is. So it is called only when each owner was on this machine and is dead.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from access import engine, programs
from access.paths import project_name
from report.errors import ConfigurationError, LockedError, OperationsError

_CLOCK_SLACK_SECONDS = 2.0


class Owner(StrEnum):
    """What is known about the process that made a lock."""

    ALIVE = "alive"
    DEAD = "dead"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Lock:
    """One lock file of a stack."""

    path: Path
    pid: int
    user: str
    host: str
    since: datetime

    @property
    def owner(self) -> Owner:
        """Whether the process that made it lives, as far as this machine can tell."""
        if self.host != socket.gethostname():
            return Owner.ELSEWHERE
        started = _start_of(self.pid)
        # A process that began after the lock was made has only got the same number.
        if started is None or started > self.since.timestamp() + _CLOCK_SLACK_SECONDS:
            return Owner.DEAD
        return Owner.ALIVE

    def describe(self, now: datetime | None = None) -> str:
        """The lock in one line: owner, age, and whether the owner lives."""
        age = int(((now or datetime.now(UTC)) - self.since).total_seconds())
        state = {
            Owner.ALIVE: "that process is running",
            Owner.DEAD: "that process is dead: the lock is stale",
            Owner.ELSEWHERE: "whether it lives, only that machine can tell",
        }[self.owner]
        since = self.since.astimezone(UTC)
        return (
            f"process {self.pid} of {self.user}@{self.host}, since {since:%Y-%m-%d %H:%M:%S} UTC "
            f"({age} s ago); {state} ({self.path})"
        )


def backend_directory(url: str) -> Path:
    """Directory of a `file://` backend. Raises `ConfigurationError` for others: those know their owners."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise ConfigurationError(
            f"the state backend is {url}: only file backends leave locks that this command reads. "
            "Use the backend's own means, for example `pulumi cancel`."
        )
    path = unquote(parts.netloc + parts.path)
    return Path(path).expanduser().absolute()


def locks_of(stack: str) -> list[Lock]:
    """The locks of a stack, if it lies in a file backend; other backends guard theirs themselves."""
    url = engine.backend_url()
    return read_locks(backend_directory(url), stack) if url.startswith("file:") else []


def require_unlocked(stack: str, why: str) -> list[Lock]:
    """The locks that dead runs left. Raises `LockedError`, with `why`, while another run has the stack."""
    locks = locks_of(stack)
    for lock in locks:
        if lock.owner is not Owner.DEAD:
            raise LockedError(f"stack {stack!r} is being changed: {lock.describe()}. {why}")
    return locks


def read_locks(backend: Path, stack: str) -> list[Lock]:
    """Locks of a stack, oldest first.

    Raises `ConfigurationError` where there is no backend, `OperationsError` for a lock file that cannot be
    read.
    """
    if not backend.is_dir():
        raise ConfigurationError(
            f"the state backend is {backend}, and there is no such directory. Correct PULUMI_BACKEND_URL or "
            "`pulumi login`, or make it."
        )
    directory = backend / ".pulumi" / "locks" / "organization" / project_name() / stack
    found = []
    for path in sorted(directory.glob("*.json")):
        try:
            raw = json.loads(path.read_text())
            since = datetime.fromisoformat(raw["timestamp"])
            found.append(Lock(path, int(raw["pid"]), str(raw["username"]), str(raw["hostname"]), since))
        except FileNotFoundError:
            continue
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise OperationsError(
                f"{path} is no readable lock ({error!r}). See that nothing runs, then remove it by hand."
            ) from error
    return sorted(found, key=lambda lock: lock.since)


def _start_of(pid: int) -> float | None:
    """When a process began, in seconds since the epoch; None if there is none (a zombie counts as none)."""
    fields = programs.process_fields(pid)
    if fields is None or fields[0] in ("Z", "X"):
        return None
    lines = Path("/proc/stat").read_text().splitlines()
    boot = next(int(line.split()[1]) for line in lines if line.startswith("btime"))
    return boot + int(fields[19]) / os.sysconf("SC_CLK_TCK")
