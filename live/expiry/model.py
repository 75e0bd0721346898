"""What the list says of one certificate, key or token, and how its time is judged."""

from __future__ import annotations

import hashlib
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from live.certificates import fingerprint, parse_chain, starting, subject, until
from stacks.given import SOON, SOON_SHARE

CLUSTER, STATE = "cluster", "state"
"""Where things lie that lie on no host."""
_DAY = 86400


class Kind(StrEnum):
    """What it is."""

    X509 = "certificate"
    KEY = "key"
    TOKEN = "token"


class State(StrEnum):
    """How it stands with its time."""

    OK = "ok"
    SOON = "ends soon"
    ENDED = "ended"
    EARLY = "not yet valid"
    UNREADABLE = "not readable"
    """It is there, or should be, and says nothing."""
    UNKNOWN = "not known"
    """Nobody could look."""


BROKEN = frozenset({State.ENDED, State.EARLY, State.UNREADABLE})
"""What is not valid now."""


@dataclass(frozen=True)
class Entry:
    """One certificate, key or token; or a place that could not be looked at, and why."""

    region: str
    """Empty for what belongs to all of them."""
    at: str
    """Name of a host, or `cluster`, `state`."""
    place: str
    """Where it lies there: a path, or an object and its key."""
    _: KW_ONLY
    kind: Kind = Kind.X509
    subject: str = ""
    issuer: str = ""
    serial: str = ""
    """Hexadecimal; empty for what has none."""
    fingerprint: str = ""
    """The beginning of the SHA-256 of a certificate, or of a key's SubjectPublicKeyInfo; hexadecimal."""
    not_before: datetime | None = None
    not_after: datetime | None = None
    """None for what has no end."""
    renewed_by: str = ""
    runbook: str = ""
    """The one that renews it, as arguments of `crossmesh runbook run`; empty where none does."""
    problem: str = ""
    """Why it could not be read."""
    fix: str = ""
    seen: bool = True
    """Whether its place could be looked at."""

    def left(self, now: datetime) -> timedelta | None:
        """How long it is still valid; None for what has no end, or of which nothing is known."""
        return None if self.not_after is None else self.not_after - now

    def state(self, now: datetime, within: timedelta | None = None) -> State:
        """within: what ends in less ends soon; without it, `SOON`, and of a short life `SOON_SHARE`."""
        if self.problem:
            return State.UNREADABLE if self.seen else State.UNKNOWN
        if self.not_before is not None and now < self.not_before:
            return State.EARLY
        left = self.left(now)
        if left is None:
            return State.OK
        if left <= timedelta():
            return State.ENDED
        return State.SOON if left < (self._soon if within is None else within) else State.OK

    def words(self, now: datetime) -> str:
        """Its time in words, or why nothing is known of it."""
        if self.problem:
            return self.problem
        if self.not_before is not None and now < self.not_before:
            return starting(self.not_before, now)
        return "has no end" if self.not_after is None else until(self.not_after, now)

    def says(self, now: datetime) -> str:
        """Its place, and its time or what is wrong."""
        return f"{self.where}: {self.problem}" if self.problem else f"{self.where} {self.words(now)}"

    @property
    def _soon(self) -> timedelta:
        if self.not_after is None or self.not_before is None:
            return SOON
        return min(SOON, (self.not_after - self.not_before) * SOON_SHARE)

    @property
    def where(self) -> str:
        """Its place in words."""
        named = {CLUSTER: f"cluster of {self.region}", STATE: "the stack's state"}
        holder = named.get(self.at, self.at)
        return f"{holder}: {self.place}" if self.place else holder

    def document(self, now: datetime, within: timedelta | None = None) -> dict[str, Any]:
        """It as JSON; days are whole ones, below zero for what has ended."""
        left = self.left(now)
        return {
            "region": self.region,
            "at": self.at,
            "place": self.place,
            "kind": str(self.kind),
            "subject": self.subject,
            "issuer": self.issuer,
            "serial": self.serial,
            "fingerprint": self.fingerprint,
            "notBefore": self.not_before and self.not_before.isoformat(),
            "notAfter": self.not_after and self.not_after.isoformat(),
            "daysLeft": None if left is None else int(left.total_seconds() // _DAY),
            "renewedBy": self.renewed_by,
            "state": str(self.state(now, within)),
            "problem": self.problem,
            "fix": self.fix,
        }


def of_certificate(region: str, at: str, place: str, certificate: x509.Certificate, renewed_by: str) -> Entry:
    """A certificate's entry."""
    return Entry(
        region,
        at,
        place,
        subject=subject(certificate),
        issuer=certificate.issuer.rfc4514_string() or "(no name)",
        serial=f"{certificate.serial_number:x}",
        fingerprint=fingerprint(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        renewed_by=renewed_by,
    )


def of_pem(region: str, at: str, place: str, pem: str, renewed_by: str, *, fix: str = "") -> list[Entry]:
    """An entry for each certificate of a PEM text, later ones numbered; one that says so where none is."""
    try:
        chain = parse_chain(pem)
    except ValueError:
        return [Entry(region, at, place, renewed_by=renewed_by, problem="it holds no certificate", fix=fix)]
    return [
        of_certificate(region, at, f"{place} ({number})" if number > 1 else place, certificate, renewed_by)
        for number, certificate in enumerate(chain, 1)
    ]


def of_public_key(region: str, at: str, place: str, pem: str, renewed_by: str) -> Entry:
    """A key pair's entry, by its public part: it has no end."""
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        why = "its public part cannot be read"
        return Entry(region, at, place, kind=Kind.KEY, renewed_by=renewed_by, problem=why)
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    name = hashlib.sha256(info).hexdigest()[:16]
    return Entry(region, at, place, kind=Kind.KEY, fingerprint=name, renewed_by=renewed_by)
