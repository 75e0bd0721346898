"""The lock on a host by which runbooks and `pulumi up` exclude each other, on other computers too.

It has an owner, a heartbeat and a number that grows with each holder. Runbooks hold it for their run, `up`
while it changes nodes, both on the hosts of a region's control plane, over ssh: so also while the API is
down. A runbook that drives an `up` hands its own on, as a `Pass`.
"""

from __future__ import annotations

import getpass
import json
import math
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from access import ssh
from access.errors import AccessError
from access.ssh import Connection
from report.errors import LockedError, OperationsError

SECONDS = 60.0
"""How long a lock lives without a heartbeat."""
BEAT = SECONDS / 4
"""Seconds from one heartbeat to the next."""
DIRECTORY = "/var/lib/crossmesh"
"""Where it lies on hosts, beside the lock that a play holds."""
SCRIPT = Path(__file__).with_name("host_lock_script.py")
PASS = "CROSSMESH_RUNBOOK_PASS"
"""Names a variable of the engine's environment: the `Pass` of the runbook that drives this `up`, JSON."""
UP = "pulumi up"
_TIMEOUT = 20.0


@dataclass(frozen=True)
class Pass:
    """What a runbook shows that holds hosts: its run, and the number of its lock on each of them. Nobody's
    secret: it says which lock has to be there, and opens none."""

    run: str
    numbers: Mapping[str, int] = field(default_factory=dict)
    """By host; hosts on which it holds none have none."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Pass:
        """Read it. Raises OperationsError where it is none."""
        try:
            values = json.loads(text)
            numbers = {str(host): int(number) for host, number in values["numbers"].items()}
            return cls(str(values["run"]), numbers)
        except (ValueError, KeyError, TypeError, AttributeError):
            msg = f"{PASS} is not what a runbook gives to the `up` that it drives"
            raise OperationsError(msg, fix=f"unset {PASS}") from None


def operator() -> str:
    """Who this process works for."""
    return f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}"


def order(do: str, run: str, holder: str, number: int, what: str, *, heeds_plays: bool) -> dict[str, Any]:
    """What the script is told. do: `take`, `keep`, `follow` or `give back`. what: the lock is for, in words.
    heeds_plays: whether it is not to be had while a play changes the host."""
    return {
        "do": do,
        "run": run,
        "holder": holder,
        "number": number,
        "seconds": SECONDS,
        "directory": DIRECTORY,
        "heeds_plays": heeds_plays,
        "who": {"owner": operator(), "what": what},
    }


def holder() -> str:
    """A name for one who holds a lock, which nobody else has."""
    return secrets.token_hex(8)


def refusal(host: str, answer: Mapping[str, Any]) -> LockedError:
    """What a lock that another one holds says, as an error: what, by whom, since when, and how to go on."""
    if answer.get("play"):
        return LockedError(
            f"{host} is being changed by {UP}: {owner_of(answer)}, since {_since(answer)}",
            fix="wait until it has ended, or end it; the host is free by itself then",
        )
    what = str(answer.get("what") or "a runbook")
    fix = f"wait until it has ended; the lock is free by itself {SECONDS:.0f} s after its last word"
    if what != UP:
        fix += (
            ". When it was killed or stopped: `crossmesh runbook resume` goes on with it, `crossmesh runbook "
            "abort` takes it back, and `crossmesh runbook history` shows it"
        )
    run = f", run {answer['run']}," if answer.get("run") and what != UP else ""
    return LockedError(
        f"{host} is held for {what}{run} by {owner_of(answer)}, since {_since(answer)}, "
        f"heard of {max(0.0, answer['age']):.0f} s ago",
        fix=fix,
    )


def lost(host: str, answer: Mapping[str, Any]) -> LockedError:
    """That a lock by which something goes on is held no more: who has it now, if anybody."""
    now = f"nothing was heard of it for {SECONDS:.0f} s"
    if answer.get("run"):
        now = f"it is held for {answer.get('what') or 'a runbook'} by {owner_of(answer)}"
    return LockedError(
        f"{host}: the lock of this run there is lost; {now}. Nothing further is begun",
        fix="see that nobody else is at work, and run again",
    )


def left_by(before: Mapping[str, Any]) -> str:
    """Who held a lock and did not give it back, for people: he was killed, or his computer went away."""
    what, owner = before.get("what") or "a runbook", owner_of(before)
    age = max(0.0, before["age"])
    words = f"{what} by {owner}, who was not heard of for {age:.0f} s, and did not give it back"
    if what == UP:
        return words
    return f"{words}: `crossmesh runbook history` shows whether run {before['run']} is to be gone on with"


def owner_of(answer: Mapping[str, Any]) -> str:
    """Who holds it, for people."""
    return str(answer.get("owner") or "somebody who did not leave a name")


def _since(answer: Mapping[str, Any]) -> str:
    """By this computer's clock: the host told how many seconds ago."""
    seconds = float(answer.get("since") or 0.0)
    if not math.isfinite(seconds):
        return "a time that it does not say"
    began = datetime.now(UTC) - timedelta(seconds=max(0.0, seconds))
    return f"{began:%Y-%m-%d %H:%M:%S} UTC"


class OnHost:
    """A runbook's lock on a host."""

    def __init__(self, host: str, connection: Connection) -> None:
        self.name = host
        self._connection = connection
        self._holder = holder()
        self._run = self._what = ""
        self.number = 0
        """That of its lock, once it is taken."""

    def take(self, run: str, what: str) -> None:
        """Take it. Raises LockedError while another run or a play has the host, and AccessError."""
        self._run, self._what = run, what
        answer = self._call("take")
        if not answer["held"]:
            raise refusal(self.name, answer)
        self.number = answer["number"]

    def beat(self) -> bool:
        """Keep it alive; whether it is held still. Raises AccessError."""
        return bool(self._call("keep")["held"])

    def give_back(self) -> None:
        """Give it back, if it is held still. Raises AccessError."""
        self._call("give back")

    def _call(self, do: str) -> dict[str, Any]:
        told = order(do, self._run, self._holder, self.number, self._what, heeds_plays=True)
        try:
            return ssh.ask(
                self.name,
                self._connection,
                SCRIPT.read_bytes(),
                told,
                what="the lock of runbooks",
                timeout=_TIMEOUT,
            )
        except AccessError as error:
            if error.fix or type(error) is not AccessError:
                raise
            fix = f"see that root may write to {DIRECTORY} there"
            raise AccessError(error.message, fix=fix) from None
