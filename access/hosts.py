"""Questions to hosts over ssh, with the stack's own key and known host keys."""

from __future__ import annotations

import subprocess

from access.cluster import Executed
from report.errors import OperationsError
from stacks.model import Ssh


class HostAccessError(OperationsError):
    """A host cannot be reached over ssh, or is not the host that it should be."""


def run_on(ssh: Ssh, address: str, command: str, timeout: float = 10) -> Executed:
    """Run a shell command on a host and wait at most `timeout` seconds for its end.

    Raises `HostAccessError` if the connection fails or the time runs out; a command that fails is an answer.
    """
    argv = [
        "ssh", "-F", "/dev/null", "-i", ssh.private_key_file, "-p", str(ssh.port),
        "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", "IdentitiesOnly=yes",
        "-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={ssh.known_hosts_file}",
        "-o", "GlobalKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
        f"{ssh.user}@{address}", command,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise HostAccessError(f"{address}: no answer over ssh within {timeout:.0f} s") from error
    except OSError as error:
        raise HostAccessError(f"ssh cannot be started: {error.strerror}") from error
    # ssh's own failures, as opposed to the command's.
    if done.returncode == 255:
        raise HostAccessError(f"{address}: {' '.join(done.stderr.split()) or 'ssh failed'}")
    return Executed(done.returncode, done.stdout, done.stderr)
