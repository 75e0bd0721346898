"""Certificates and keys in PEM, each with the line that it begins on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_KEY = "PRIVATE KEY"
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE")


@dataclass(frozen=True)
class Text:
    """A text, and what people know it by."""

    place: str
    """A file's path, or `the secret crossmesh:name`."""
    content: str = field(repr=False)

    @property
    def is_file(self) -> bool:
        """Whether editors can link it."""
        return not self.place.startswith("the secret ")

    def at(self, line: int) -> str:
        """A line of it."""
        return f"{self.place}:{line}" if self.is_file else f"{self.place}, line {line}"


@dataclass(frozen=True)
class Block:
    """What stands between two marks of PEM."""

    label: str
    line: int
    """Of its first mark, from 1."""
    pem: str = field(repr=False)

    @property
    def is_key(self) -> bool:
        """Whether it is a private key, of whatever form."""
        return self.label.endswith(_KEY)

    @property
    def is_encrypted(self) -> bool:
        """Whether a passphrase opens it."""
        return self.label.startswith("ENCRYPTED") or "Proc-Type: 4,ENCRYPTED" in self.pem

    @property
    def is_certificate(self) -> bool:
        """Whether it is a certificate."""
        return self.label in _CERTIFICATES


@dataclass(frozen=True)
class Found:
    """A certificate, and where it was found."""

    part: str
    """Key of the declaration that names its text."""
    where: str
    certificate: x509.Certificate

    @property
    def name(self) -> str:
        """Its subject, as RFC 4514 writes it."""
        return named(self.certificate.subject)

    @property
    def pem(self) -> str:
        """It alone."""
        return self.certificate.public_bytes(Encoding.PEM).decode()


def blocks(text: Text) -> Iterator[Block]:
    """What is in a text, in its order."""
    for match in _BLOCK.finditer(text.content):
        line = text.content.count("\n", 0, match.start()) + 1
        yield Block(match[1], line, match[0])


def named(name: x509.Name) -> str:
    """A name as RFC 4514 writes it."""
    return name.rfc4514_string() or "(no name)"


def signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer`, by name and by key, has signed `certificate`."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.ExtensionType | None:
    """What a certificate's extension of a kind says; None where it has none."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names that it is for: subject alternative names alone, as clients no longer read others."""
    names = extension(certificate, x509.SubjectAlternativeName)
    if not isinstance(names, x509.SubjectAlternativeName):
        return ()
    return tuple(name.lower() for name in names.get_values_for_type(x509.DNSName))


def covers(name: str, host: str) -> bool:
    """Whether a name of a certificate is one of a host (RFC 9525, 6.3).

    An asterisk is the whole first label and stands for one label. host: may itself be `*.name`, for all
    names directly below one.
    """
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])
