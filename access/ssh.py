"""How ssh is called, by us and by Ansible, and what its failures mean.

Host keys are always checked, against the declared file alone.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from access import programs
from access.errors import AccessError, CredentialsRefused, IdentityMismatch, Unanswered
from access.programs import Executed

if TYPE_CHECKING:
    from stacks.model import Ssh
    from stacks.model.machines import JumpHost

CONNECT_TIMEOUT = 5
"""Seconds for one attempt to connect."""
_MARK = b"#crossmesh"
_READ = 'open(0,"rb",0,closefd=False).readline'
_BOOTSTRAP = (
    'exec((lambda read:__import__("base64").b64decode('
    f'next((read() for line in iter(read,b"") if line=={_MARK!r}+b"\\n"),b"")))({_READ}))'
)
_UNHEARD = "kex_exchange_identification"
"""So ssh speaks of a connection on which nobody introduced himself."""


@dataclass(frozen=True)
class Jump:
    """The host through which another one is reached."""

    address: str
    user: str
    port: int = 22
    private_key_file: str = ""
    """Empty for the key of the host behind it."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Jump:
        """Read it from the `connection` of a resource."""
        key = values.get("privateKeyFile") or ""
        return cls(values["address"], values["user"], int(values.get("port") or 22), key)


@dataclass(frozen=True)
class Connection:
    """How ssh reaches a host."""

    address: str
    user: str
    private_key_file: str
    """A public key's file stands for a key of the agent; empty for all keys of the agent."""
    known_hosts_file: str
    port: int = 22
    jump: Jump | None = None
    become_password: str = field(default="", repr=False)
    """What sudo asks for; empty where it asks for nothing."""

    @classmethod
    def of(cls, values: Mapping[str, Any], become_password: str | None = None) -> Connection:
        """Read the `connection` of a resource."""
        return cls(
            address=values["address"],
            user=values["user"],
            private_key_file=values.get("privateKeyFile") or "",
            known_hosts_file=values["knownHostsFile"],
            port=int(values.get("port") or 22),
            jump=Jump.of(values["jump"]) if values.get("jump") else None,
            become_password=become_password or "",
        )

    @classmethod
    def declared(cls, ssh: Ssh, address: str, become_password: str | None = None) -> Connection:
        """The connection to a host at `address` as the stack file declares it."""
        return cls.of(plain(ssh, address), become_password)

    @property
    def first_hop(self) -> tuple[str, int]:
        """Address and port that this machine itself connects to."""
        return (self.jump.address, self.jump.port) if self.jump else (self.address, self.port)

    @property
    def asks_for_password(self) -> bool:
        """Whether sudo wants one."""
        return self.user != "root" and bool(self.become_password)


def plain(ssh: Ssh, address: str) -> dict[str, Any]:
    """The `connection` of a resource: nothing that is not declared is in it, and no secret."""
    values = ssh.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"become_password", "hardened"}
    )
    return {"address": address, **values}


def options(login: Connection | Ssh, *, proxy_command: str = "") -> list[str]:
    """Return ssh's options: no configuration, password or undeclared key of the user's plays a part.

    proxy_command: what to connect by, instead of directly or through the jump host.
    """
    if not proxy_command and login.jump:
        proxy_command = _through(login.jump, login)
    return [
        *_options(login.user, login.port, login.private_key_file or "", login.known_hosts_file),
        *(("-o", f"ProxyCommand={proxy_command}") if proxy_command else ()),
    ]


def _options(user: str, port: int, key: str, known_hosts: str) -> list[str]:
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{known_hosts}"',
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        # Without a key of its own, whatever the agent has is tried.
        "IdentitiesOnly": "yes" if key else "no",
        "IdentityFile": f'"{key}"' if key else "none",
        "ConnectTimeout": str(CONNECT_TIMEOUT),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "LogLevel": "ERROR",
        "Port": str(port),
        "User": user,
    }
    words = (word for key, value in settings.items() for word in ("-o", f"{key}={value}"))
    return ["-F", "/dev/null", *words]


def _through(jump: Jump | JumpHost, login: Connection | Ssh) -> str:
    """The command by which ssh reaches a host through another one.

    ssh's own ProxyJump would take none of our options with it, and learn or skip that host's key as the
    user's configuration says.
    """
    key = jump.private_key_file or login.private_key_file or ""
    words = ["ssh", *_options(jump.user, jump.port, key, login.known_hosts_file)]
    # What stands after a per cent sign is filled in by ssh.
    return f"{shlex.join(words).replace('%', '%%')} -W '[%h]:%p' {shlex.quote(jump.address)}"


def inventory_variables(login: Connection | Ssh) -> dict[str, Any]:
    """Variables with which Ansible, run by hand, reaches hosts in the same way."""
    key = {"ansible_ssh_private_key_file": login.private_key_file} if login.private_key_file else {}
    return {
        "ansible_user": login.user,
        "ansible_port": login.port,
        **key,
        "ansible_ssh_common_args": shlex.join(options(login)),
    }


def as_root(connection: Connection, command: list[str]) -> str:
    """Return `command` for the host's shell, run by root. Its input is what `script` makes."""
    if connection.user == "root":
        return shlex.join(command)
    # -k: it asks also when it was told a moment ago, so that no password is left for the command.
    asking = ["-k", "-S", "-p", ""] if connection.asks_for_password else ["-n"]
    return shlex.join(["sudo", *asking, "--", *command])


def python(connection: Connection) -> str:
    """Return the command that runs a Python program, read from its input, as root of the host: the host's
    logs show one short line, and its list of processes no program text."""
    return as_root(connection, ["python3", "-c", _BOOTSTRAP])


def script(connection: Connection, source: bytes) -> bytes:
    """Return the input of `python`: the password where sudo asks for one, and the program.

    Where sudo is satisfied without it, the password is passed over: nothing that runs takes it for its own.
    """
    password = f"{connection.become_password}\n".encode() if connection.asks_for_password else b""
    return password + _MARK + b"\n" + base64.b64encode(source) + b"\n"


def run(host: str, connection: Connection, command: Sequence[str], *, timeout: float = 10) -> Executed:
    """Run a command, without input, as root of a host; one that fails has answered.

    Raises `AccessError`, also after `timeout` seconds.
    """
    # Where sudo is satisfied without the password, nothing that runs takes it for its own.
    apart = as_root(connection, ["sh", "-c", f"exec {shlex.join(command)} </dev/null"])
    argv = ["ssh", *options(connection), "-T", connection.address, apart]
    password = f"{connection.become_password}\n" if connection.asks_for_password else ""
    done = programs.run(argv, what=f"{host}: ssh to {connection.address}", timeout=timeout, stdin=password)
    # ssh's own failures, as opposed to the command's.
    if done.returncode == 255:
        raise failure(host, connection, done.returncode, done.stderr)
    return done


def ask(
    host: str,
    connection: Connection,
    source: bytes,
    order: Mapping[str, Any],
    *,
    what: str = "its answer",
    timeout: float = 10,
) -> dict[str, Any]:
    """What a Python program says that a host runs as root: the last line of its output, a JSON object.

    source: the program; it reads `order`, a line of JSON, from its input. what: it is called in messages.
    Raises `AccessError`, also after `timeout` seconds.
    """
    check_files(host, connection)
    told = script(connection, source) + json.dumps(order).encode() + b"\n"
    argv = ["ssh", *options(connection), "-T", connection.address, python(connection)]
    where = f"{host}: {what}, by ssh from {connection.address}"
    done = programs.run(argv, what=where, timeout=timeout, stdin=told.decode())
    if done.returncode == 255:
        raise failure(host, connection, done.returncode, done.stderr)
    try:
        # What the login itself says comes before.
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError):
        if done.returncode:
            raise failure(host, connection, done.returncode, done.stderr) from None
        # It is not quoted: nobody knows what is in it.
        fix = "see what its shell says at a login without a terminal"
        raise AccessError(f"{where}: not of the form that was asked for", fix=fix) from None


def check_files(host: str, connection: Connection) -> None:
    """Raise AccessError when a key or the known hosts are not there."""
    jump = connection.jump
    for path, what in (
        (connection.private_key_file, "private key"),
        (jump.private_key_file if jump else "", "jump host's private key"),
        (connection.known_hosts_file, "known hosts"),
    ):
        if path and not Path(path).is_file():
            msg = f"{host}: the {what} file {path} does not exist"
            raise AccessError(msg, fix="correct `ssh` in the stack file, or create the file")


def failure(host: str, connection: Connection, status: int, stderr: str) -> AccessError:
    """Return what a failed ssh means, as an error with the way to mend it."""
    words = stderr.strip().splitlines()
    jump = connection.jump if status == 255 else None
    if jump is None:
        return _failure(host, connection, status, words)
    heard = [line for line in words if _UNHEARD not in line]
    if not heard or heard == words or "stdio forwarding failed" in stderr:
        through = f" through {jump.user}@{jump.address} port {jump.port}"
        return _failure(host, connection, status, heard or words, through)
    # It is the jump host's ssh that speaks; the host's own says only that it heard nothing.
    key = jump.private_key_file or connection.private_key_file
    itself = Connection(jump.address, jump.user, key, connection.known_hosts_file, jump.port)
    error = _failure(f"{host}: its jump host", itself, status, heard)
    # Nothing was seen of the host: neither is it another one, nor does it refuse anybody.
    return error if isinstance(error, Unanswered) else AccessError(error.message, fix=error.fix)


def _failure(host: str, at: Connection, status: int, words: Sequence[str], through: str = "") -> AccessError:
    where, known_hosts, said = f"{at.user}@{at.address} port {at.port}", at.known_hosts_file, "\n".join(words)
    last = words[-1] if words else f"ssh ended with status {status} and no message"
    if "host key is known for" in said:
        return IdentityMismatch(
            f"{host}: no host key of {where} is in {known_hosts}, so it cannot be told from another machine",
            fix=f"add its line to {known_hosts} after comparing it with the key on the machine's own console",
        )
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said or "Host key verification failed" in said:
        return IdentityMismatch(
            f"{host}: the host key of {where} is not the one in {known_hosts}: either the machine was "
            "reinstalled, or another one answers at this address; nothing was sent to it",
            fix=f"make sure which machine it is; then replace its line in {known_hosts}",
        )
    # So speaks ssh of a login; after one, other programs may lack a permission as well. It is also said when
    # ssh passed over our key because it could not use it, and offered none.
    if status == 255 and "Permission denied (" in said:
        key = f"the key {at.private_key_file}" if at.private_key_file else "any key of the agent"
        return CredentialsRefused(
            f"{host}: {where} does not accept {key}",
            fix=f"put the public key into ~{at.user}/.ssh/authorized_keys of the host",
        )
    if "sudo:" in said:
        return AccessError(f"{host}: {at.user} cannot become root: {last}", fix=_sudo_fix(at))
    if "No space left on device" in said:
        fix = "make room there: `df -h` says which disk it is"
        return AccessError(f"{host}: a disk is full, and nothing can be done there: {last}", fix=fix)
    if "python3" in said and "not found" in said:
        return AccessError(f"{host}: python3 is not installed", fix="install it; Ansible needs it")
    if status == 255:
        return Unanswered(
            f"{host}: {where} cannot be reached{through}: {last}",
            fix="check that the machine runs, its address in the stack file, and the network up to it",
        )
    return AccessError(f"{host}: {last}")


def _sudo_fix(connection: Connection) -> str:
    if connection.asks_for_password:
        return "set the stack secret that `becomePassword` names anew, and see on the host that sudo takes it"
    return (
        "name the stack secret that holds the password, `becomePassword`, or let sudo ask for none on the "
        f"host: {connection.user} ALL=(ALL) NOPASSWD: ALL"
    )
