"""What a machine says to a shell script, run there by root."""

from __future__ import annotations

from access import ssh
from access.errors import AccessError
from access.programs import Executed
from live.doctor.model import NotMeasurable
from live.doctor.platform import Platform
from live.logins import login
from stacks.model import Host


def ask(platform: Platform, name: str, host: Host, script: str) -> Executed:
    """The answer of a declared host to a script that reads only.

    Raises `NotMeasurable` where the host is not reached, or nobody becomes root there: of such a host nothing
    is known, least of all that it is gone.
    """
    try:
        connection = login(platform.stack, name, host.ssh_address)
        done = ssh.run(name, connection, ["sh", "-c", script])
    except AccessError as error:
        raise NotMeasurable(error.message, error.fix or "Restore ssh access to the host.") from error
    if done.returncode and "sudo:" in done.stderr:
        raise NotMeasurable(f"{name}: {' '.join(done.stderr.split())[:300]}", become_root(connection.user))
    return done


def unheard(platform: Platform, name: str, what: str, said: Executed) -> NotMeasurable:
    """What to raise for an answer that is none. what: the host was to say."""
    ssh_of = platform.stack.environment.ssh_of(name)
    words = " ".join((said.stderr or said.stdout).split())[:300]
    return NotMeasurable(
        f"{name} does not {what}: {words or 'it says nothing'}", become_root(ssh_of.user if ssh_of else "it")
    )


def become_root(user: str) -> str:
    """What mends a host on which nobody becomes root."""
    return f"See that {user} may become root there, by the declared password or without."
