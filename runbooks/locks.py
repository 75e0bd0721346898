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
from typing import Any, Protocol

from access.cluster import Cluster
from access.errors import AccessError, Conflict
from access.host_lock import BEAT, SECONDS, OnHost, Pass, operator, refusal
from report.errors import CancelledError, LockedError

__all__ = ["SECONDS", "Held", "InCluster", "OnHost", "Place", "UnderLock", "held"]

_TIMEOUT = 20.0
_LEASE = "crossmesh-runbook"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


class UnderLock:
    """A site whose steps begin something further only while its locks are its own."""

    lost: Callable[[], str]
    """Why another operator may have begun; empty while none may."""

    def require_lock(self) -> None:
        """Raise CancelledError when another operator may have begun."""
        if why := self.lost():
            raise CancelledError(f"stopped: {why}")


class Place(Protocol):
    """Where a lock lies."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def number(self) -> int:
        """That of the lock on a host, once it is taken; 0 where it is on none."""

    def take(self, run: str, what: str) -> None:
        """Take it for a run. what: that is, in words. Raises LockedError while another holds it, and
        AccessError."""

    def beat(self) -> bool:
        """Keep it alive; whether it is held still. Raises AccessError."""

    def give_back(self) -> None:
        """Give it back, if it is held still. Raises AccessError."""


class InCluster:
    """A lock in a cluster whose hosts are somebody else's."""

    number = 0

    def __init__(self, cluster: Cluster) -> None:
        self.name = f"cluster of {cluster.region}"
        self._cluster = cluster
        self._identity = ""

    def take(self, run: str, what: str) -> None:
        self._identity = f"{operator()}, {what}, run {run}, {secrets.token_hex(4)}"
        found = self._cluster.get(f"{_LEASES}/{_LEASE}")
        spec: dict[str, Any] = (found or {}).get("spec") or {}
        holder, age = spec.get("holderIdentity"), _age(spec.get("renewTime"))
        if holder and age <= SECONDS and f", run {run}, " not in holder:
            raise self._held(str(holder), age, _age(spec.get("acquireTime")))
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
            raise self._held("somebody who was faster", 0.0, 0.0) from None

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

    def _held(self, owner: str, age: float, since: float) -> LockedError:
        return refusal(self.name, {"owner": owner, "age": age, "since": since})

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

    def passed(self, run: str) -> Pass:
        """What the run shows to an `up` that it drives, so that this may change the hosts that it holds."""
        return Pass(run, {place.name: place.number for place in self._places if place.number})

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
        while not self._ending.wait(BEAT):
            for place in self._places:
                # One that does not answer now is asked again; silence for too long counts as lost.
                with suppress(AccessError):
                    if place.beat():
                        self._heard[place.name] = time.monotonic()
                    elif not self._lost:
                        self._lost = f"the lock on {place.name} is another's now"
                        self._tell(self._lost)


@contextmanager
def held(places: Sequence[Place], run: str, what: str, tell: Callable[[str], None]) -> Iterator[Held]:
    """Hold locks on all places that answer, and on more than half of all, or on none: so no two hold them at
    once, and what is to be mended may be silent. what: the run is, in words. Raises LockedError, and
    AccessError where too many are.
    """
    taken: list[Place] = []
    needed = len(places) // 2 + 1
    keeper: Held | None = None
    try:
        # Always in the same order: two who want the same ones do not hold off each other for ever.
        for number, place in enumerate(sorted(places, key=lambda place: place.name)):
            try:
                place.take(run, what)
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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _age(moment: Any) -> float:
    if not moment:
        return float("inf")
    seconds = (datetime.now(UTC) - datetime.fromisoformat(str(moment))).total_seconds()
    # Another computer's clock may be ahead of this one's.
    return max(0.0, seconds)
