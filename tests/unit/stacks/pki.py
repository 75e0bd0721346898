"""Authorities and certificates for tests, right unless they are told to be wrong in one point."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOST = "shop.example.test"


@dataclass(frozen=True)
class Pair:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return str(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def make(
    name: str,
    issuer: Pair | None = None,
    *,
    hosts: tuple[str, ...] = (),
    ca: bool = False,
    path_length: int | None = None,
    start: datetime = NOW - timedelta(days=10),
    days: int = 90,
    key: Any = None,
    digest: Any = hashes.SHA256,
    extensions: tuple[x509.ExtensionType, ...] = (),
    usage: bool = True,
    uses: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,),
) -> Pair:
    """A certificate that begins at `start` and lasts `days`; signed by itself without an issuer.

    usage: whether it may do what its kind does. uses: of one that is no authority's.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    signs, is_server = usage and ca, usage and not ca
    allowed = x509.KeyUsage(is_server, False, not usage, False, False, signs, signs, False, False)
    builder = builder.add_extension(allowed, critical=True)
    if not ca and uses:
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    for each in extensions:
        builder = builder.add_extension(each, critical=False)
    return Pair(builder.sign(signer, digest() if digest else None), key)


def authority(name: str, issuer: Pair | None = None, **more: Any) -> Pair:
    """An authority that lasts ten years."""
    return make(name, issuer, ca=True, **{"days": 3650, **more})


ROOT = authority("root")
MIDDLE = authority("middle", ROOT)
LOWER = authority("lower", MIDDLE)
LEAF = make("shop", LOWER, hosts=(HOST, "*.eu.example.test"))
