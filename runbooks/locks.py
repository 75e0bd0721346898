"""Locks that hold off other operators, on other computers too: on hosts over ssh, in an adopted cluster by a
Lease.

A lock has an owner, a heartbeat and a number that grows with each holder. Who does not hear from its
place for as long as the lock lives, or finds another holder there, has lost it, and begins nothing
further.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from access import ssh
from access.cluster import Cluster
from access.errors import AccessError, Conflict
from access.ssh import Connection
from report.errors import LockedError
from runbooks.journal import operator

SECONDS = 60.0
"""How long a lock lives without a heartbeat."""
_BEAT = SECONDS / 4
_SCRIPT = Path(__file__).with_name("lock_script.py")
_DIRECTORY = "/var/lib/crossmesh"
_TIMEOUT = 20.0
_LEASE = "crossmesh-runbook"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


class Place(Protocol):
    """Where a lock lies."""

    @property
    def name(self) -> str:
        """What it is called."""

    def take(self, run: str) -> None:
        """Take it. Raises LockedError while another holds it, and AccessError."""

    def beat(self) -> bool:
        """Keep it alive; whether it is held still. Raises AccessError."""

    def give_back(self) -> None:
        """Give it back, if it is held still. Raises AccessError."""


class OnHost:
    """A lock on a host."""

    def __init__(self, host: str, connection: Connection) -> None:
        self.name = host
        self._connection = connection
        self._holder = secrets.token_hex(8)
        self._run = ""
        self._number = 0

    def take(self, run: str) -> None:
        self._run = run
        answer = self._call("take")
        if not answer["held"]:
            raise _held(self.name, answer["owner"], answer["age"])
        self._number = answer["number"]

    def beat(self) -> bool:
        return bool(self._call("keep")["held"])

    def give_back(self) -> None:
        self._call("give back")

    def _call(self, do: str) -> dict[str, Any]:
        order = {
            "do": do,
            "run": self._run,
            "holder": self._holder,
            "number": self._number,
            "seconds": SECONDS,
            "directory": _DIRECTORY,
            "who": {"owner": operator()},
        }
        try:
            return ssh.ask(
                self.name,
                self._connection,
                _SCRIPT.read_bytes(),
                order,
                what="the lock of runbooks",
                timeout=_TIMEOUT,
            )
        except AccessError as error:
            if error.fix or type(error) is not AccessError:
                raise
            fix = f"see that root may write to {_DIRECTORY} there"
            raise AccessError(error.message, fix=fix) from None


class InCluster:
    """A lock in a cluster whose hosts are somebody else's."""

    def __init__(self, cluster: Cluster) -> None:
        self.name = f"cluster of {cluster.region}"
        self._cluster = cluster
        self._identity = ""

    def take(self, run: str) -> None:
        self._identity = f"{operator()}, run {run}, {secrets.token_hex(4)}"
        found = self._cluster.get(f"{_LEASES}/{_LEASE}")
        spec: dict[str, Any] = (found or {}).get("spec") or {}
        holder, age = spec.get("holderIdentity"), _age(spec.get("renewTime"))
        if holder and age <= SECONDS and f", run {run}, " not in holder:
            raise _held(self.name, str(holder), age)
        wanted = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(SECONDS),
            "acquireTime": _now(),
            "renewTime": _now(),
            "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1,
        }
        try:
            if found is None:
                body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
                self._cluster.post(_LEASES, {**body, "metadata": {"name": _LEASE}, "spec": wanted})
            else:
                self._write(found, wanted)
        except Conflict:
            raise _held(self.name, "somebody who was faster", 0.0) from None

    def beat(self) -> bool:
        found = self._cluster.get(f"{_LEASES}/{_LEASE}")
        if not self._is_mine(found):
            return False
        assert found is not None
        try:
            self._write(found, {"renewTime": _now()})
        except Conflict:
            return False
        return True

    def give_back(self) -> None:
        found = self._cluster.get(f"{_LEASES}/{_LEASE}")
        if self._is_mine(found):
            assert found is not None
            self._write(found, {"holderIdentity": None, "renewTime": None})

    def _is_mine(self, found: dict[str, Any] | None) -> bool:
        return bool(found) and ((found or {}).get("spec") or {}).get("holderIdentity") == self._identity

    def _write(self, found: dict[str, Any], spec: dict[str, Any]) -> None:
        # Refused where somebody else wrote meanwhile.
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        self._cluster.patch(f"{_LEASES}/{_LEASE}", {"metadata": version, "spec": spec})


class Held:
    """Locks that are held, kept alive by a thread."""

    def __init__(self, places: Sequence[Place], tell: Callable[[str], None], needed: int) -> None:
        """needed: so many of the places have to be heard from."""
        self._places = places
        self._needed = needed
        self._tell = tell
        self._ending = threading.Event()
        self._heard = dict.fromkeys((place.name for place in places), time.monotonic())
        self._lost = ""
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    @property
    def lost(self) -> str:
        """Why it is not held any more; empty while it is."""
        if not self._lost:
            silent = [name for name, at in self._heard.items() if time.monotonic() - at > SECONDS]
            if len(self._heard) - len(silent) < self._needed:
                self._lost = f"nothing was heard from {', '.join(silent)} for {SECONDS:.0f} s"
        return self._lost

    def end(self) -> None:
        """Keep nothing alive any more."""
        self._ending.set()
        self._thread.join(_TIMEOUT)

    def _keep(self) -> None:
        while not self._ending.wait(_BEAT):
            for place in self._places:
                # One that does not answer now is asked again; silence for too long counts as lost.
                with suppress(AccessError):
                    if place.beat():
                        self._heard[place.name] = time.monotonic()
                    elif not self._lost:
                        self._lost = f"the lock on {place.name} is another's now"
                        self._tell(self._lost)


@contextmanager
def held(places: Sequence[Place], run: str, tell: Callable[[str], None]) -> Iterator[Held]:
    """Hold locks on all places that answer, and on more than half of all, or on none: so no two hold them at
    once, and what is to be mended may be silent. Raises LockedError, and AccessError where too many are.
    """
    taken: list[Place] = []
    needed = len(places) // 2 + 1
    keeper: Held | None = None
    try:
        # Always in the same order: two who want the same ones do not hold off each other for ever.
        for number, place in enumerate(sorted(places, key=lambda place: place.name)):
            try:
                place.take(run)
            except AccessError as error:
                if len(taken) + len(places) - number - 1 < needed:
                    raise
                tell(f"held without {place.name}: {error.message}")
            else:
                taken.append(place)
        keeper = Held(taken, tell, needed)
        yield keeper
    finally:
        if keeper:
            keeper.end()
        for place in reversed(taken):
            with suppress(AccessError):
                place.give_back()


def _held(place: str, owner: str, age: float) -> LockedError:
    return LockedError(
        f"{place} is held for a runbook by {owner or 'somebody'}, heard of {max(0.0, age):.0f} s ago",
        fix=f"wait until it has ended; the lock is free by itself {SECONDS:.0f} s after its last word",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _age(moment: Any) -> float:
    if not moment:
        return float("inf")
    seconds = (datetime.now(UTC) - datetime.fromisoformat(str(moment))).total_seconds()
    # Another computer's clock may be ahead of this one's.
    return max(0.0, seconds)
