"""Reading X.509 chains: validity, issuers, SPIFFE identities."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

MINIMUM_LEFT = timedelta(days=7)
"""A long-lived certificate needs this much time left to count as healthy."""

MINIMUM_SHARE = 0.2
"""A short-lived one needs this share of its lifetime left."""


def parse_chain(pem: str | bytes) -> list[x509.Certificate]:
    """Certificates of a PEM text, in its order; duplicates dropped. Raises `ValueError` if it holds none."""
    found: list[x509.Certificate] = []
    for certificate in x509.load_pem_x509_certificates(pem.encode() if isinstance(pem, str) else pem):
        if certificate not in found:
            found.append(certificate)
    return found


def fingerprint(certificate: x509.Certificate) -> str:
    """First 16 hexadecimal digits of the SHA-256 fingerprint: enough to tell certificates apart in a
    report.
    """
    return certificate.fingerprint(hashes.SHA256()).hex()[:16]


def subject(certificate: x509.Certificate) -> str:
    """The subject, as RFC 4514 writes it."""
    return certificate.subject.rfc4514_string() or "(no subject)"


def validity_problem(certificate: x509.Certificate, now: datetime | None = None) -> str:
    """What is wrong with a certificate's time, or nothing."""
    moment = now or datetime.now(UTC)
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if moment < start:
        return f"is not valid before {start:%Y-%m-%d %H:%M} UTC, in {_span(start - moment)}"
    if moment >= end:
        return f"expired at {end:%Y-%m-%d %H:%M} UTC, {_span(moment - end)} ago"
    least = min(MINIMUM_LEFT, (end - start) * MINIMUM_SHARE)
    if end - moment < least:
        return f"expires in {_span(end - moment)}, at {end:%Y-%m-%d %H:%M} UTC"
    return ""


def left(certificate: x509.Certificate, now: datetime | None = None) -> str:
    """How long a certificate is still valid, in words."""
    return _span(certificate.not_valid_after_utc - (now or datetime.now(UTC)))


def signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` is a certificate authority whose key signed `certificate`."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    try:
        return bool(issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False


def spiffe_ids(certificate: x509.Certificate) -> list[str]:
    """SPIFFE identities in the subject alternative names."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return [uri for uri in uris if uri.startswith("spiffe://")]


def chain_problem(chain: list[x509.Certificate], root: x509.Certificate) -> str:
    """What is wrong with a chain that should lead, leaf first, to `root` (which it may or may not hold)."""
    path = [certificate for certificate in chain if certificate != root] + [root]
    for certificate, issuer in pairwise(path):
        if not signed_by(certificate, issuer):
            return f"{subject(certificate)} is not signed by {subject(issuer)}"
    return ""


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    if seconds >= 2 * 86400:
        return f"{seconds // 86400} days"
    if seconds >= 2 * 3600:
        return f"{seconds // 3600} hours"
    return f"{seconds // 60} minutes"
