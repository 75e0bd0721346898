"""kubeadm as modules run it: one at a time, ended with whoever started it, and no token in its words."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run

_PR_SET_PDEATHSIG = 1
_TOKEN = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")


class KubeadmError(Exception):
    """kubeadm failed, or must not be run; says why, without any token."""


def masked(text: str) -> str:
    """The text with bootstrap tokens made unreadable."""
    return _TOKEN.sub("<token>", text)


def carry_out(
    command: tuple[str, ...], config: str, lock: int, more: Mapping[str, str] | None = None
) -> None:
    """Run the command, with `config` on its standard input. It holds `lock` too, and dies with us.

    lock: less than zero for none. more: further variables of its environment. Raises KubeadmError with the
    last of its words when it fails.
    """

    def die_with_parent() -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    environment = {**os.environ, "HOME": "/root", **(more or {})}
    held = (lock,) if lock >= 0 else ()
    result = run(*command, input=config, env=environment, pass_fds=held, preexec_fn=die_with_parent)
    if result.returncode:
        words = "\n".join(masked(f"{result.stdout}\n{result.stderr}").strip().splitlines()[-40:])
        refused = _not_registered() if command[1:2] in (("init",), ("join",)) else ""
        raise KubeadmError(f"{' '.join(command)} ended with {result.returncode}:\n{words}{refused}")


def _not_registered() -> str:
    """What kubelet said last of a cluster that does not take its node; empty where it said nothing of that.
    kubeadm hears nothing of it, and waits for the node until its time is over."""
    said = run("journalctl", "--unit=kubelet", "--since=-10min", "--output=cat", "--no-pager", "--quiet")
    lines = [line for line in said.stdout.splitlines() if "nable to register node" in line]
    return f"\nkubelet says: {masked(lines[-1])}" if lines else ""


@contextmanager
def alone(state: Path) -> Iterator[int]:
    """Hold the lock of a host in its directory `state`: wait for a run that lost its operator to end."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / ".kubeadm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()
