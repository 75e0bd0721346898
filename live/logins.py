"""How this machine becomes root of a declared host, to look at it."""

from __future__ import annotations

from functools import cache

from access import engine
from access.errors import AccessError
from access.ssh import Connection
from report.errors import OperationsError
from stacks.load import Stack


def login(stack: Stack, host: str, address: str) -> Connection:
    """The way to a host, with the password that sudo asks for there, where one is declared.

    address: of a host that is not declared any more. Raises `AccessError` where there is no way.
    """
    ssh = stack.environment.ssh_of(host)
    if ssh is None:
        raise AccessError("the stack file declares no ssh access", fix="Declare `ssh` in the stack file.")
    hosts = (region.hosts for region in stack.environment.regions.values())
    address = next((known[host].ssh_address for known in hosts if host in known), address)
    password = _secret(stack.name, ssh.become_password) if ssh.become_password else ""
    return Connection.declared(ssh, address, password)


@cache
def _secret(stack: str, name: str) -> str:
    try:
        return engine.secret(stack, name)
    except OperationsError as error:
        raise AccessError(error.message, fix=error.fix) from error
