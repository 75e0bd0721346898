"""Keys of a lab: the operator's, and one host key per machine, known before the machine boots."""

from __future__ import annotations

import shlex
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import cache
from lab.addressing import LabAddresses
from lab.commands import run
from lab.errors import LabError

_POLL_S = 0.1


def directory(state: Path) -> Path:
    """Where a lab's keys are."""
    return state / "ssh"


def make_keys(state: Path, addresses: LabAddresses) -> None:
    """Make the keys that are missing, and `known_hosts` for every machine by name and address."""
    keys = directory(state)
    (keys / "host").mkdir(parents=True, exist_ok=True)
    keys.chmod(0o700)
    _make_key(keys / "id_ed25519", f"lab {addresses.name}")
    known: list[str] = []
    for machine, address in addresses.machines.items():
        _make_key(keys / "host" / machine, machine)
        kind, public = (keys / "host" / f"{machine}.pub").read_text().split()[:2]
        known.append(f"{machine},{address} {kind} {public}\n")
    with cache.replacing(keys / "known_hosts") as scratch:
        scratch.write_text("".join(known))


def _make_key(path: Path, comment: str) -> None:
    if path.exists() and path.with_name(f"{path.name}.pub").exists():
        return
    # Both halves are made under another name first: a killed run leaves no half key.
    scratch = path.with_name(f".{path.name}.new")
    for old in (scratch, scratch.with_name(f"{scratch.name}.pub")):
        old.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(scratch)])
    scratch.with_name(f"{scratch.name}.pub").rename(path.with_name(f"{path.name}.pub"))
    scratch.rename(path)


def command(state: Path, address: str, argv: Sequence[str] = ()) -> list[str]:
    """The ssh command that runs ``argv`` as root on the machine at ``address``, checking its host key."""
    keys = directory(state)
    return [
        "ssh", "-F", "none", "-i", str(keys / "id_ed25519"), "-o", "IdentitiesOnly=yes",
        "-o", f"UserKnownHostsFile={keys / 'known_hosts'}", "-o", "GlobalKnownHostsFile=none",
        "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5",
        f"root@{address}", *([shlex.join(argv)] if argv else []),
    ]  # fmt: skip


def wait(state: Path, address: str, deadline: float, alive: Callable[[], bool]) -> None:
    """Wait for ssh on ``address``. Raises LabError at ``deadline``, or when ``alive`` answers False."""
    reason = "no answer on port 22"
    while time.monotonic() < deadline:
        if not alive():
            raise LabError("the machine ended while it booted")
        try:
            with socket.create_connection((address, 22), timeout=1) as connection:
                connection.settimeout(2)
                greeted = connection.recv(4) == b"SSH-"
            if greeted:
                run(command(state, address, ["true"]))
                return
        except OSError as error:
            reason = f"port 22: {error}"
        except LabError as error:
            reason = error.problem.splitlines()[-1].strip()
        time.sleep(_POLL_S)
    raise LabError(f"no ssh in time: {reason}")
