"""How ssh is called, by us and by Ansible, and what its failures mean.

Host keys are always checked, against the declared file alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from access import programs
from access.errors import AccessError, CredentialsRefused, IdentityMismatch, Unanswered
from access.programs import Executed

if TYPE_CHECKING:
    from stacks.model import Ssh

CONNECT_TIMEOUT = 5
"""Seconds for one attempt to connect."""


@dataclass(frozen=True)
class Connection:
    """How ssh reaches a host."""

    address: str
    user: str
    private_key_file: str
    known_hosts_file: str
    port: int = 22

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Connection:
        """Read the `connection` of a resource."""
        return cls(
            address=values["address"],
            user=values["user"],
            private_key_file=values["privateKeyFile"],
            known_hosts_file=values["knownHostsFile"],
            port=int(values.get("port") or 22),
        )

    @classmethod
    def declared(cls, ssh: Ssh, address: str) -> Connection:
        """The connection to a host at `address` as the stack file declares it."""
        return cls(address, ssh.user, ssh.private_key_file, ssh.known_hosts_file, ssh.port)


def options(login: Connection | Ssh) -> list[str]:
    """Return ssh's options: no configuration, agent key or password of the user's plays a part."""
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{login.known_hosts_file}"',
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "IdentitiesOnly": "yes",
        "IdentityFile": f'"{login.private_key_file}"',
        "ConnectTimeout": str(CONNECT_TIMEOUT),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "LogLevel": "ERROR",
        "Port": str(login.port),
        "User": login.user,
    }
    return [
        "-F",
        "/dev/null",
        *(word for key, value in settings.items() for word in ("-o", f"{key}={value}")),
    ]


def inventory_variables(login: Connection | Ssh) -> dict[str, Any]:
    """Variables with which Ansible, run by hand, reaches hosts in the same way."""
    return {
        "ansible_user": login.user,
        "ansible_port": login.port,
        "ansible_ssh_private_key_file": login.private_key_file,
        "ansible_ssh_common_args": shlex.join(options(login)),
    }


def as_root(connection: Connection, command: list[str]) -> str:
    """Return `command` for the host's shell, run by root."""
    prefix = [] if connection.user == "root" else ["sudo", "-n", "--"]
    return shlex.join([*prefix, *command])


def run(host: str, connection: Connection, command: str, *, timeout: float = 10) -> Executed:
    """Run a command on a host; one that fails has answered. Raises `AccessError` after `timeout` seconds."""
    argv = ["ssh", *options(connection), "-T", connection.address, command]
    done = programs.run(argv, what=f"{host}: ssh to {connection.address}", timeout=timeout)
    # ssh's own failures, as opposed to the command's.
    if done.returncode == 255:
        raise failure(host, connection, done.returncode, done.stderr)
    return done


def check_files(host: str, connection: Connection) -> None:
    """Raise AccessError when the key or the known hosts are not there."""
    for path, what in (
        (connection.private_key_file, "private key"),
        (connection.known_hosts_file, "known hosts"),
    ):
        if not Path(path).is_file():
            msg = f"{host}: the {what} file {path} does not exist"
            raise AccessError(msg, fix="correct `ssh` in the stack file, or create the file")


def failure(host: str, connection: Connection, status: int, stderr: str) -> AccessError:
    """Return what a failed ssh means, as an error with the way to mend it."""
    where = f"{connection.user}@{connection.address} port {connection.port}"
    words = stderr.strip().splitlines()
    last = words[-1] if words else f"ssh ended with status {status} and no message"
    known_hosts = connection.known_hosts_file
    if "host key is known for" in stderr:
        return IdentityMismatch(
            f"{host}: no host key of {where} is in {known_hosts}, so it cannot be told from another machine",
            fix=f"add its line to {known_hosts} after comparing it with the key on the machine's own console",
        )
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in stderr or "Host key verification failed" in stderr:
        return IdentityMismatch(
            f"{host}: the host key of {where} is not the one in {known_hosts}: either the machine was "
            "reinstalled, or another one answers at this address; nothing was sent to it",
            fix=f"make sure which machine it is; then replace its line in {known_hosts}",
        )
    # So speaks ssh of a login; after one, other programs may lack a permission as well. It is also said when
    # ssh passed over our key because it could not use it, and offered none.
    if status == 255 and "Permission denied (" in stderr:
        return CredentialsRefused(
            f"{host}: {where} does not accept the key {connection.private_key_file}",
            fix=f"put the public key into ~{connection.user}/.ssh/authorized_keys of the host",
        )
    if "sudo:" in stderr:
        return AccessError(
            f"{host}: {connection.user} cannot become root: {last}",
            fix=f"allow it on the host: {connection.user} ALL=(ALL) NOPASSWD: ALL",
        )
    if "python3" in stderr and "not found" in stderr:
        return AccessError(f"{host}: python3 is not installed", fix="install it; Ansible needs it")
    if status == 255:
        return Unanswered(
            f"{host}: {where} cannot be reached: {last}",
            fix="check that the machine runs, its address in the stack file, and the network up to it",
        )
    return AccessError(f"{host}: {last}")
