"""Reading X.509 chains: validity, issuers, SPIFFE identities; and what istiod of a cluster signs with."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from access.cluster import Cluster
from components.manifests.mesh import CA_SECRET
from stacks.system_namespaces import ISTIO_SYSTEM

MINIMUM_LEFT = timedelta(days=7)
"""A long-lived certificate needs this much time left to count as healthy."""

MINIMUM_SHARE = 0.2
"""A short-lived one needs this share of its lifetime left."""


CACERTS = f"/api/v1/namespaces/{ISTIO_SYSTEM}/secrets/{CA_SECRET}"
"""The secret of what istiod signs with."""


def parse_chain(pem: str | bytes) -> list[x509.Certificate]:
    """Certificates of a PEM text, in its order; duplicates dropped. Raises `ValueError` if it holds none."""
    return list(dict.fromkeys(x509.load_pem_x509_certificates(pem.encode() if isinstance(pem, str) else pem)))


def fingerprint(certificate: x509.Certificate) -> str:
    """Sixteen hexadecimal digits of the SHA-256 fingerprint: enough to tell certificates apart."""
    return certificate.fingerprint(hashes.SHA256()).hex()[:16]


def in_short(certificate: x509.Certificate) -> str:
    """A certificate in a table: enough to tell it from others, and its last day."""
    return f"{fingerprint(certificate)}, ends {certificate.not_valid_after_utc:%Y-%m-%d}"


def subject(certificate: x509.Certificate) -> str:
    """The subject, as RFC 4514 writes it."""
    return certificate.subject.rfc4514_string() or "(no subject)"


def validity_problem(certificate: x509.Certificate) -> str:
    """What is wrong with a certificate's time, or nothing."""
    moment = datetime.now(UTC)
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if moment < start:
        return starting(start, moment)
    return ending(end, moment, min(MINIMUM_LEFT, (end - start) * MINIMUM_SHARE))


def starting(start: datetime, now: datetime) -> str:
    """From when something is valid that is not yet, in words."""
    return f"is not valid before {start:%Y-%m-%d %H:%M} UTC, in {_span(start - now)}"


def ending(end: datetime, now: datetime, least: timedelta) -> str:
    """That something has ended, or ends before `least` has passed, in words; or nothing."""
    return until(end, now) if end - now < least or now >= end else ""


def until(end: datetime, now: datetime) -> str:
    """How long something is still valid, or since when it is not, in words."""
    if now >= end:
        return f"expired at {end:%Y-%m-%d %H:%M} UTC, {_span(now - end)} ago"
    return f"expires in {_span(end - now)}, at {end:%Y-%m-%d %H:%M} UTC"


def left(certificate: x509.Certificate) -> str:
    """How long a certificate is still valid, in words."""
    return _span(certificate.not_valid_after_utc - datetime.now(UTC))


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


def read_mesh_authority(cluster: Cluster) -> tuple[x509.Certificate | None, x509.Certificate | None]:
    """What istiod of a cluster signs with: intermediate and root; None for what its secret lacks.

    The private key beside them is neither kept nor looked at. Raises `AccessError`.
    """
    data = (cluster.get(CACERTS) or {}).get("data") or {}

    def certificate(key: str) -> x509.Certificate | None:
        try:
            return parse_chain(base64.b64decode(str(data.get(key))))[0]
        except ValueError:
            return None

    return certificate("ca-cert.pem"), certificate("root-cert.pem")


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    if seconds >= 2 * 86400:
        return f"{seconds // 86400} days"
    if seconds >= 2 * 3600:
        return f"{seconds // 3600} hours"
    return f"{seconds // 60} minutes"
