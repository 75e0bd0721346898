"""Certificates and keys: made, signed and read. Pure but for the clock and the random source."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from report.errors import OperationsError

# Certificates are valid from a little before now, for machines whose clock is behind.
CLOCK_SKEW = timedelta(minutes=5)
USAGES = {"server auth": ExtendedKeyUsageOID.SERVER_AUTH, "client auth": ExtendedKeyUsageOID.CLIENT_AUTH}

LONGEST_NAME = 64
"""Characters of a common name or an organization (RFC 5280, appendix A.1)."""

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Issuer:
    """Who signs: certificate, key, the certificates from it up to the root, without it, and the root; PEM."""

    certificate: str
    private_key: str
    chain: str
    root_certificate: str


@dataclass(frozen=True)
class Request:
    """What a certificate shall say. `ca` and `path_length` for authorities, `usages` for others."""

    common_name: str
    validity_days: int
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    usages: tuple[str, ...] = ()
    ca: bool = False
    path_length: int | None = None

    @classmethod
    def of(cls, inputs: Mapping[str, Any], *, ca: bool) -> Request:
        """What a resource's inputs ask for."""
        organization = inputs.get("organization")
        return cls(
            common_name=inputs["common_name"],
            validity_days=inputs["validity_days"],
            organizations=tuple(inputs.get("organizations") or ([organization] if organization else ())),
            dns_names=tuple(inputs.get("dns_names") or ()),
            usages=tuple(inputs.get("usages") or ()),
            ca=ca,
            path_length=inputs.get("path_length"),
        )


def new_key() -> str:
    """Return a new private key: ECDSA over P-256, PEM in PKCS #8."""
    return key_pem(ec.generate_private_key(ec.SECP256R1()))


def key_pem(key: PrivateKey) -> str:
    """Return `key` as PEM in PKCS #8, not encrypted."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def load_key(pem: str) -> PrivateKey:
    """Return the private key in `pem`. Raises OperationsError, which never quotes the key."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as exc:
        msg = "the private key cannot be read: it is not an unencrypted PEM private key"
        raise OperationsError(msg, fix="give a PEM key (PKCS #8, EC or RSA) without a passphrase") from exc
    if not isinstance(key, PrivateKey):
        msg = f"the private key is of the kind {type(key).__name__}, which cannot sign certificates here"
        raise OperationsError(msg, fix="use an EC (P-256), RSA or Ed25519 key")
    return key


def load_certificate(pem: str) -> x509.Certificate:
    """Return the first certificate in `pem`. Raises OperationsError."""
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as exc:
        msg = f"a certificate cannot be read: {exc}"
        raise OperationsError(msg, fix="give a certificate in PEM") from exc


def certificate_pem(certificate: x509.Certificate) -> str:
    """Return `certificate` as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def issue(request: Request, private_key: str, issuer: Issuer | None) -> str:
    """Return the PEM certificate for `private_key`, signed by `issuer`, or by itself when there is none.

    It ends with its issuer's certificate at the latest: nobody would trust it for longer.
    """
    now = datetime.now(UTC)
    key = load_key(private_key)
    signing_certificate = None if issuer is None else load_certificate(issuer.certificate)
    signing_key = key if issuer is None else load_key(issuer.private_key)
    name = _name(request)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if signing_certificate is None else signing_certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(_end_of_validity(request.validity_days, issuer, now))
        .add_extension(x509.BasicConstraints(ca=request.ca, path_length=request.path_length), critical=True)
        .add_extension(_key_usage(request.ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False
        )
    )
    if request.usages:
        usages = [USAGES[usage] for usage in request.usages]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    names = (x509.DNSName(name) for name in request.dns_names)
    addresses = (x509.IPAddress(ipaddress.ip_address(address)) for address in request.ip_addresses)
    if alternatives := [*names, *addresses]:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    if signing_certificate is not None and signing_certificate.public_key() != signing_key.public_key():
        owner = signing_certificate.subject.rfc4514_string()
        msg = f"the issuer's private key does not belong to its certificate {owner!r}"
        raise OperationsError(msg, fix="give the certificate and the key of one authority")
    algorithm = None if isinstance(signing_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return certificate_pem(builder.sign(signing_key, algorithm))


def _end_of_validity(validity_days: int, issuer: Issuer | None, now: datetime) -> datetime:
    end = now + timedelta(days=validity_days)
    return end if issuer is None else min(end, load_certificate(issuer.certificate).not_valid_after_utc)


def renewal_due(not_after: str, request: Request, renew_before_days: int, issuer: Issuer | None) -> bool:
    """Whether a certificate that ends at `not_after` shall be renewed, and a new one lasts a day longer."""
    now = datetime.now(UTC)
    end = datetime.fromisoformat(not_after)
    if end - now > timedelta(days=renew_before_days):
        return False
    return _end_of_validity(request.validity_days, issuer, now) > end + timedelta(days=1)


def still_trusted(before: Request, after: Request, *, same_key: bool, depth: int) -> bool:
    """Whether what a root has signed verifies by the root that takes its place.

    Found out by doing, with keys of the moment: a chain with `depth` authorities below the old root, and a
    verifier that knows the new one alone.
    """
    name, key = "peer.invalid", new_key()
    old = issue(before, key, None)
    above, below = Issuer(old, key, "", old), []
    days = before.validity_days
    for left in reversed(range(depth)):
        own = new_key()
        below.append(issue(Request(f"authority {left}", days, ca=True, path_length=left), own, above))
        above = Issuer(below[-1], own, "", old)
    leaf = issue(Request(name, days, dns_names=(name,), usages=tuple(USAGES)), new_key(), above)
    new = load_certificate(issue(after, key if same_key else new_key(), None))
    verifier = PolicyBuilder().store(Store([new])).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(load_certificate(leaf), [load_certificate(pem) for pem in below])
    except VerificationError:
        return False
    return True


def not_after(pem: str) -> str:
    """Return when the certificate ends (RFC 3339, UTC)."""
    return load_certificate(pem).not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")


def public_key_hash(pem: str) -> str:
    """Return `sha256:<hex>` of the certificate's SubjectPublicKeyInfo, kubeadm's discovery hash."""
    key = load_certificate(pem).public_key()
    info = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(info).hexdigest()}"


def _name(request: Request) -> x509.Name:
    attributes = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, _fitting(value)) for value in request.organizations
    ]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, _fitting(request.common_name))])


def _fitting(name: str) -> str:
    """Return the name, or its beginning with a digest where it is too long, as domains can be. What is
    verified are the alternative names, which have no such bound."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _key_usage(ca: bool) -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    unused = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=ca, crl_sign=ca, **unused)
