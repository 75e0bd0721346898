"""How ssh is called, and what its failures mean.

Host keys are always checked, against the declared file alone.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from playbooks.provider.errors import ProviderError
from playbooks.provider.run.request import Connection

CONNECT_TIMEOUT = 5
"""Seconds for one attempt to connect."""


class HostUnreachable(ProviderError):
    """The host did not answer in a way that may pass: it boots, or the network is down."""


class HostKeyRefused(ProviderError):
    """The host's key is not known, or is another one: who answers is not the one that was declared."""


class LoginRefused(ProviderError):
    """The host does not accept our key, or was offered none: ssh passes over one that it cannot use."""


def options(connection: Connection) -> list[str]:
    """Return ssh's options: no configuration, agent key or password of the user's plays a part."""
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{connection.known_hosts_file}"',
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "IdentitiesOnly": "yes",
        "IdentityFile": f'"{connection.private_key_file}"',
        "ConnectTimeout": str(CONNECT_TIMEOUT),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "LogLevel": "ERROR",
        "Port": str(connection.port),
        "User": connection.user,
    }
    return [
        "-F",
        "/dev/null",
        *(word for key, value in settings.items() for word in ("-o", f"{key}={value}")),
    ]


def as_root(connection: Connection, command: list[str]) -> str:
    """Return `command` for the host's shell, run by root."""
    prefix = [] if connection.user == "root" else ["sudo", "-n", "--"]
    return shlex.join([*prefix, *command])


def check_files(host: str, connection: Connection) -> None:
    """Raise ProviderError when the key or the known hosts are not there."""
    for path, what in (
        (connection.private_key_file, "private key"),
        (connection.known_hosts_file, "known hosts"),
    ):
        if not Path(path).is_file():
            msg = f"{host}: the {what} file {path} does not exist"
            raise ProviderError(msg, fix="correct `ssh` in the stack file, or create the file")


def failure(host: str, connection: Connection, status: int, stderr: str) -> ProviderError:
    """Return what a failed ssh means, as an error with the way to mend it."""
    where = f"{connection.user}@{connection.address} port {connection.port}"
    words = stderr.strip().splitlines()
    last = words[-1] if words else f"ssh ended with status {status} and no message"
    known = connection.known_hosts_file
    if "host key is known for" in stderr:
        return HostKeyRefused(
            f"{host}: no host key of {where} is in {known}, so it cannot be told from another machine",
            fix=f"add its line to {known} after comparing it with the key on the machine's own console",
        )
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in stderr or "Host key verification failed" in stderr:
        return HostKeyRefused(
            f"{host}: the host key of {where} is not the one in {known}: either the machine was reinstalled, "
            "or another one answers at this address; nothing was sent to it",
            fix=f"make sure which machine it is; then replace its line in {known}",
        )
    # So speaks ssh of a login; after one, other programs may lack a permission as well.
    if status == 255 and "Permission denied (" in stderr:
        return LoginRefused(
            f"{host}: {where} does not accept the key {connection.private_key_file}",
            fix=f"put the public key into ~{connection.user}/.ssh/authorized_keys of the host",
        )
    if "sudo:" in stderr:
        return ProviderError(
            f"{host}: {connection.user} cannot become root: {last}",
            fix=f"allow it on the host: {connection.user} ALL=(ALL) NOPASSWD: ALL",
        )
    if "python3" in stderr and "not found" in stderr:
        return ProviderError(f"{host}: python3 is not installed", fix="install it; Ansible needs it")
    if status == 255:
        return HostUnreachable(
            f"{host}: {where} cannot be reached: {last}",
            fix="check that the machine runs, its address in the stack file, and the network up to it",
        )
    return ProviderError(f"{host}: {last}")
