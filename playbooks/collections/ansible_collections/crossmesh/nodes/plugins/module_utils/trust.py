"""What a host trusts that is a member of a cluster, and which authority has issued what it shows: read from
its files.

Sent to hosts by whoever asks otherwise than by a play: standard library alone.
"""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KUBERNETES = Path("/etc/kubernetes")
KUBELET = Path("/var/lib/kubelet/pki")
LEAVES = ("apiserver", "apiserver-kubelet-client")
KUBECONFIGS = ("admin", "controller-manager", "scheduler", "super-admin")
NAMED = 8
"""Hexadecimal digits of a certificate's digest in its name."""
AUTHORITY = re.compile(r"^(\s*certificate-authority-data: *)(\S+) *$", re.MULTILINE)
CLIENT = re.compile(r"^\s*client-certificate-data: *(\S+) *$", re.MULTILINE)
KEY = re.compile(r"^\s*client-key-data: *(\S+) *$", re.MULTILINE)
_ONLY_WHERE_IT_IS = "super-admin"
"""kubeadm makes it on the host that made the cluster alone."""
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Said:
    """What a node says of its host, by names of authorities."""

    trusts: frozenset[str] = frozenset()
    shows: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wanted:
    """What a host is to be brought to."""

    node: str
    trusted: tuple[str, ...]
    """Certificates, PEM; by the first all is issued."""
    key: str = ""
    """Private key of the first, PEM; empty on a host that issues nothing."""

    @property
    def bundle(self) -> str:
        return "".join(f"{each.strip()}\n" for each in self.trusted)

    @property
    def names(self) -> list[str]:
        """Names of the authorities, in their order."""
        return names(self.bundle)


def certificates(text: str) -> list[bytes]:
    """Certificates in a text, DER."""
    return [ssl.PEM_cert_to_DER_cert(pem) for pem in _PEM.findall(text)]


def names(text: str) -> list[str]:
    """Names of the certificates in a text, each after itself."""
    return [f"ca-{hashlib.sha256(der).hexdigest()[:NAMED]}" for der in certificates(text)]


def issuer(der: bytes) -> bytes:
    """The name of a certificate's issuer, as it stands there."""
    return _fields(der)[2]


def subject(der: bytes) -> bytes:
    """The name of a certificate's owner, as it stands there."""
    return _fields(der)[4]


def _fields(der: bytes) -> list[bytes]:
    """Serial number, algorithm, issuer, validity and subject of a certificate (RFC 5280, 4.1)."""
    _, at, _ = _element(der, 0)
    tag, at, end = _element(der, at)
    found: list[bytes] = []
    while at < end and len(found) < 6:
        tag, _, following = _element(der, at)
        # A version, where one is said, stands ahead of them.
        if tag != 0xA0:
            found.append(der[at:following])
        at = following
    return found


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag of an element, where its content begins, and where it ends."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[start : start + count], "big")
        start += count
    return tag, start, start + length


def text_of(path: Path) -> str:
    """A file's text; empty where it is not there."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def pki(name: str) -> Path:
    """A file of kubeadm's."""
    return KUBERNETES / "pki" / name


def kubeconfig(name: str) -> Path:
    """A kubeconfig of kubeadm's."""
    return KUBERNETES / f"{name}.conf"


def current() -> Path:
    """Where kubelet has the certificate that it shows the API server, with its key."""
    return KUBELET / "kubelet-client-current.pem"


def decoded(pattern: re.Pattern[str], text: str, group: int = 1) -> str:
    """What a kubeconfig has encoded at a place; empty where it has none."""
    found = pattern.search(text)
    return base64.b64decode(found[group]).decode() if found else ""


def shown(wanted: Wanted) -> dict[str, str]:
    """Certificates that this host shows, PEM, by what has them; empty for one that is missing."""
    found = {"kubelet": text_of(current())} if current().exists() or not wanted.key else {}
    if wanted.key:
        found |= {name: text_of(pki(f"{name}.crt")) for name in LEAVES}
        for name in KUBECONFIGS:
            if name != _ONLY_WHERE_IT_IS or kubeconfig(name).exists():
                found[name] = decoded(CLIENT, text_of(kubeconfig(name)))
    return found


def trusting() -> dict[str, str]:
    """What this host trusts, PEM, by what says so."""
    found = {"ca.crt": text_of(pki("ca.crt"))}
    for name in (*KUBECONFIGS, "kubelet"):
        # One that names a file follows that.
        if AUTHORITY.search(text := text_of(kubeconfig(name))):
            found[f"{name}.conf"] = decoded(AUTHORITY, text, 2)
    return found


def issued_by(pem: str, authorities: Iterable[bytes]) -> str:
    """Name of the authority that has issued a certificate; empty where none of these has."""
    leaf = certificates(pem)[:1]
    for der in authorities:
        if leaf and issuer(leaf[0]) == subject(der):
            return f"ca-{hashlib.sha256(der).hexdigest()[:NAMED]}"
    return ""


def _known(wanted: Wanted) -> list[bytes]:
    """The authorities that this host knows, and those that it is to know."""
    return [*certificates(wanted.bundle), *certificates(text_of(pki("ca.crt")))]


def present(wanted: Wanted) -> Said:
    """What this host trusts and shows now."""
    trusted = [frozenset(names(pem)) for pem in trusting().values()]
    issuers = {issued_by(pem, _known(wanted)) for pem in shown(wanted).values()}
    return Said(frozenset.intersection(*trusted), frozenset(issuers - {""}))


def due(wanted: Wanted) -> list[str]:
    """What shows a certificate of another of the cluster's authorities than the first. What somebody else has
    issued is somebody else's."""
    return [
        name
        for name, pem in shown(wanted).items()
        if issued_by(pem, _known(wanted)) not in ("", wanted.names[0])
    ]


def lacking(wanted: Wanted, begun: Path) -> list[str]:
    """What of this host is not as it is wanted, in words. begun: is there while a change was not finished."""
    words = [f"what {name} trusts" for name, pem in trusting().items() if names(pem) != wanted.names]
    words += [f"the certificate of {name}" for name in due(wanted)]
    key = text_of(pki("ca.key")).strip()
    # Who keeps it elsewhere has taken it away.
    if wanted.key and key and key != wanted.key.strip():
        words.append("the key that it issues by")
    return words or (["kubelet starts anew"] if begun.exists() else [])
