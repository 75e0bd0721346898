"""Hold a given certificate against its key, its authorities, its hosts and the clock.

Pure: the clock is its caller's. No text of a key is in anything that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from stacks.pem import Block, Found, Text, blocks, covers, dns_names, extension, named, signed

SOON = timedelta(days=30)
"""What ends within this time ends soon: a month to renew it in. What kubelet renews by itself is renewed
before, as it begins at 70 to 90 % of a certificate's life (client-go, `util/certificate`): of a year, 36 days
before its end at the latest."""
SOON_SHARE = 0.2
"""Of what lasts less than five months, this share of its life takes the place of `SOON`."""
SYSTEM = "the system's store"
"""What certificates are verified by that come with no authority of their owner's."""
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_RSA_BITS = 2048
# What Envoy takes of a server's key: source/common/tls/context_impl.cc, in the releases of the catalogue.
_KEYS = f"gateways take RSA keys of {_RSA_BITS} bits or more, and ECDSA keys over P-256, P-384 or P-521"
_WEAK = ("md5", "sha1", "sha224")
_SERVES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
_WHOLE = "a server shows its certificate and each authority between that and a root that clients trust"


@dataclass(frozen=True)
class Complaint:
    """What is wrong with a part of what is given."""

    part: str
    """Its key below `given`."""
    got: str
    rule: str
    fix: str


@dataclass(frozen=True)
class Parts:
    """The texts that are given; of a secret that is not known here, None. Where no `ca` is declared, `system`
    are the roots of this machine's store: none where it has none.
    """

    certificate: Text
    private_key: Text | None
    chain: Text | None = None
    ca: Text | None = None
    system: Sequence[x509.Certificate] = ()


@dataclass(frozen=True)
class Given:
    """A certificate that was given and is right."""

    chain: str
    """PEM: the certificate, and the authorities between it and a root, each behind what it has signed."""
    private_key: str | None = field(repr=False)
    """PEM (PKCS #8); None where it is not known here."""
    ca: str
    """PEM of the authorities that its clients trust; empty for the system's store."""
    anchor: str
    """The authority of these that it is verified by, in words that tell it from others."""
    authorities: tuple[str, ...]
    """All of these, likewise."""
    subject: str
    issuer: str
    serial: str
    """Hexadecimal."""
    names: tuple[str, ...]
    """The DNS names that it is for."""
    not_before: datetime
    not_after: datetime
    """The time of the one of its chain that ends first: of itself, or of an authority."""


def ends_soon(start: datetime, end: datetime) -> datetime:
    """From when something that is valid from `start` to `end` ends soon."""
    return end - min(SOON, (end - start) * SOON_SHARE)


def examine(hosts: Sequence[str], parts: Parts, now: datetime) -> tuple[Given | None, list[Complaint]]:
    """What is given, with all that is wrong with it; None where something is. hosts: that are to have it."""
    wrong: list[Complaint] = []
    pool = list(_certificates("certificate", parts.certificate, wrong))
    if parts.chain is not None:
        pool += _certificates("chain", parts.chain, wrong)
    pool = _once(pool)
    key = _private_key(parts.private_key, wrong) if parts.private_key else None
    anchors = list(_certificates("ca", parts.ca, wrong)) if parts.ca else []
    if wrong:
        return None, wrong
    leaf = _leaf(pool, key)
    path, beside = _path(leaf, [each for each in pool if each is not leaf])
    if key is not None:
        wrong += _pair(leaf, key)
    wrong += _of_leaf(leaf, hosts)
    for below, authority in enumerate(path[1:]):
        wrong += _of_authority(authority, below)
    for each in path:
        wrong += [*_of_time(each, now), *_of_signature(each)]
    for each in beside:
        if not any(signed(one.certificate, each.certificate) for one in path):
            wrong.append(_stray(each))
    anchor = _anchor(path, anchors, parts, wrong)
    if wrong:
        return None, wrong
    return _given(path, beside, key, anchor, anchors), []


def _given(path: list[Found], beside: list[Found], key: Any, anchor: str, anchors: list[Found]) -> Given:
    leaf, shown = path[0].certificate, [*path, *beside]
    first = min((each.certificate for each in path), key=lambda each: each.not_valid_after_utc)
    return Given(
        chain="".join(each.pem for each in shown),
        private_key=None if key is None else _pkcs8(key),
        ca="".join(each.pem for each in anchors),
        anchor=anchor,
        authorities=tuple(sorted(_known(each.certificate) for each in anchors)) or (SYSTEM,),
        subject=path[0].name,
        issuer=named(leaf.issuer),
        serial=f"{leaf.serial_number:x}",
        names=dns_names(leaf),
        not_before=first.not_valid_before_utc,
        not_after=first.not_valid_after_utc,
    )


def _certificates(part: str, text: Text, wrong: list[Complaint]) -> Iterator[Found]:
    """The certificates of a text; what else is in it, and must not be, is wrong."""
    seen = False
    for block in blocks(text):
        if block.is_key:
            seen = True
            rule = "this text is shown to everybody, and who has a private key can stand in for its owner"
            fix = "take it out; where others could read it, have another certificate made for a new key"
            wrong.append(Complaint(part, f"{text.at(block.line)}: a private key", rule, fix))
        elif block.is_certificate:
            seen = True
            try:
                certificate = x509.load_pem_x509_certificate(block.pem.encode())
                certificate.extensions, certificate.signature_hash_algorithm  # noqa: B018  read when asked for
                certificate.public_key()
            except (ValueError, UnsupportedAlgorithm) as error:
                why = str(error).splitlines()[0]
                got = f"{text.at(block.line)}: a certificate that cannot be read ({why})"
                wrong.append(Complaint(part, got, "certificates are X.509 in PEM", "give it anew, whole"))
            else:
                yield Found(part, text.at(block.line), certificate)
    if not seen:
        wrong.append(_no_pem(part, text, "CERTIFICATE", "x509 -inform der"))


def _once(pool: list[Found]) -> list[Found]:
    """Each certificate where it stands first."""
    first: dict[x509.Certificate, Found] = {}
    for each in pool:
        first.setdefault(each.certificate, each)
    return list(first.values())


def _private_key(text: Text, wrong: list[Complaint]) -> Any:
    """The one key of a text; None where there is none that can be read."""
    keys = [block for block in blocks(text) if block.is_key]
    if not keys:
        wrong.append(_no_pem("privateKey", text, "PRIVATE KEY", "pkey -inform der"))
    elif len(keys) > 1:
        got = f"{text.at(keys[1].line)}: another private key"
        rule = "a certificate has one key"
        wrong.append(Complaint("privateKey", got, rule, "leave the certificate's own key alone in it"))
    else:
        return _read_key(text, keys[0], wrong)
    return None


def _read_key(text: Text, block: Block, wrong: list[Complaint]) -> Any:
    at = text.at(block.line)
    if block.is_encrypted:
        rule = "the gateway reads the key by itself, and nobody is there to give a passphrase"
        fix = "write it without: `openssl pkey -in OLD -out NEW`; the stack's secrets provider keeps it"
        wrong.append(Complaint("privateKey", f"{at}: a key with a passphrase", rule, fix))
        return None
    try:
        key = load_pem_private_key(block.pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What the library says is not told: it may quote what it read.
        rule = "a private key is PEM: PKCS #8, or the older forms of RSA and EC"
        wrong.append(Complaint("privateKey", f"{at}: a key that cannot be read", rule, "give it anew, whole"))
        return None
    if kind := _refused(key.public_key()):
        fix = "have a certificate made for such a key: `openssl ecparam -name prime256v1 -genkey -noout`"
        wrong.append(Complaint("privateKey", f"{at}: {kind}", _KEYS, fix))
    return key


def _no_pem(part: str, text: Text, label: str, conversion: str) -> Complaint:
    got = f"{text.at(1)}: nothing that begins with -----BEGIN {label}-----"
    if "TRUSTED CERTIFICATE" in text.content:
        fix = "write it in plain PEM: `openssl x509 -in OLD -out NEW`"
    else:
        fix = f"write it in PEM: `openssl {conversion} -in OLD -out NEW` of what is DER"
    return Complaint(part, got, "certificates and keys are given in PEM, whole", fix)


def _leaf(pool: list[Found], key: Any) -> Found:
    """The certificate of the key; where there is none, the first that is no authority's."""
    if key is not None:
        for each in pool:
            if each.certificate.public_key() == key.public_key():
                return each
    return next((each for each in pool if not _is_authority(each.certificate)), pool[0])


def _path(leaf: Found, rest: list[Found]) -> tuple[list[Found], list[Found]]:
    """The way up from a certificate, without a root at its end, and what is not on it."""
    path = [leaf]
    while not signed(path[-1].certificate, path[-1].certificate):
        above = next((each for each in rest if signed(path[-1].certificate, each.certificate)), None)
        if above is None:
            break
        rest.remove(above)
        path.append(above)
    if len(path) > 1 and signed(path[-1].certificate, path[-1].certificate):
        path.pop()
    return path, rest


def _pair(leaf: Found, key: Any) -> Iterator[Complaint]:
    if leaf.certificate.public_key() != key.public_key():
        yield Complaint(
            "privateKey",
            f"the key of another certificate than {leaf.name} ({leaf.where})",
            "the key is the one that the certificate was made for",
            "give that one; `openssl x509 -pubkey -noout -in CERTIFICATE` and `openssl pkey -pubout -in KEY` "
            "print the same for the two that belong together",
        )


def _of_leaf(leaf: Found, hosts: Sequence[str]) -> Iterator[Complaint]:
    """What is wrong with a certificate that a server is to show for hosts."""

    def wrong(got: str, rule: str, fix: str) -> Complaint:
        return Complaint(leaf.part, f"{leaf.where}: {leaf.name} {got}", rule, fix)

    certificate, anew = leaf.certificate, "have it issued anew for a server"
    if _is_authority(certificate):
        yield wrong("is an authority's own", "a server shows a certificate that is no authority's", anew)
    if kind := _refused(certificate.public_key()):
        yield wrong(f"is for {kind}", _KEYS, "have it issued for such a key")
    uses = extension(certificate, x509.ExtendedKeyUsage)
    if isinstance(uses, x509.ExtendedKeyUsage) and not any(use in _SERVES for use in uses):
        yield wrong("is not for servers", "its extended key usage has serverAuth", anew)
    usage = extension(certificate, x509.KeyUsage)
    if isinstance(usage, x509.KeyUsage) and not usage.digital_signature:
        yield wrong("may sign nothing", "its key usage has digitalSignature: TLS 1.3 is that", anew)
    features = extension(certificate, x509.TLSFeature)
    if isinstance(features, x509.TLSFeature) and x509.TLSFeatureType.status_request in features:
        rule = "gateways are given no answers of OCSP, and take no certificate that must come with one"
        yield wrong("must be stapled (RFC 7633)", rule, "have it issued anew without that")
    names = dns_names(certificate)
    listed = f"it is for {', '.join(names)}" if names else "it has no DNS name as a subject alternative name"
    for host in hosts:
        if not any(covers(name, host) for name in names):
            rule = "a certificate names its hosts as subject alternative names, *.name for one label below"
            fix = f"have {host} put into it, or take that out of `hosts`"
            yield wrong(f"is not for {host}: {listed}", rule, fix)


def _of_authority(authority: Found, below: int) -> Iterator[Complaint]:
    """What is wrong with an authority of a chain. below: how many authorities are between it and the leaf."""
    certificate = authority.certificate
    basic = extension(certificate, x509.BasicConstraints)
    usage = extension(certificate, x509.KeyUsage)
    got = ""
    if not isinstance(basic, x509.BasicConstraints) or not basic.ca:
        got = "signs a certificate and is no authority"
    elif isinstance(usage, x509.KeyUsage) and not usage.key_cert_sign:
        got = "is an authority that may sign no certificates"
    elif basic.path_length is not None and basic.path_length < below:
        got = f"allows {basic.path_length} authorities below it, and has {below}"
    elif kind := _refused(certificate.public_key()):
        got = f"has {kind}"
    if got:
        where = f"{authority.where}: {authority.name} {got}"
        fix = "get the chain anew from who issued the certificate"
        yield Complaint(authority.part, where, "clients refuse what such an authority has signed", fix)


def _of_time(found: Found, now: datetime) -> Iterator[Complaint]:
    start, end = found.certificate.not_valid_before_utc, found.certificate.not_valid_after_utc
    if now >= end:
        got, fix = f"ended on {end:%Y-%m-%d %H:%M} UTC", "give one that holds"
    elif now < start:
        got, fix = f"is not valid before {start:%Y-%m-%d %H:%M} UTC", "wait until then, or mend the clock"
    else:
        return
    rule = "what gateways show is valid from now on: clients refuse all else"
    yield Complaint(found.part, f"{found.where}: {found.name} {got}", rule, fix)


def _of_signature(found: Found) -> Iterator[Complaint]:
    try:
        algorithm = found.certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    if algorithm is None or algorithm.name in _WEAK:
        by = algorithm.name.upper() if algorithm else "an algorithm without a digest of its own"
        got = f"{found.where}: {found.name} is signed by {by}"
        rule = "clients take signatures by RSA or ECDSA with SHA-256, SHA-384 or SHA-512"
        yield Complaint(found.part, got, rule, "have it issued anew")


def _anchor(path: list[Found], anchors: list[Found], parts: Parts, wrong: list[Complaint]) -> str:
    """The authority that the first it can of a path is verified by; a complaint where there is none."""
    known = [each.certificate for each in anchors] if parts.ca else list(parts.system)
    for each in path:
        for authority in known:
            if each.certificate == authority or signed(each.certificate, authority):
                return _known(authority) if parts.ca else SYSTEM
    last = path[-1]
    if not known and not parts.ca:
        # A machine without a store of its own cannot tell. Those who verify by theirs will.
        return SYSTEM
    whose = "`ca`" if parts.ca else SYSTEM
    issuer = named(last.certificate.issuer)
    otherwise = (
        "put what clients trust into the file of `ca`" if parts.ca else "declare what clients trust: `ca`"
    )
    fix = f"add the certificate of {issuer} to `chain`{_offered(last.certificate)}, or {otherwise}"
    part = "chain" if parts.chain else "certificate"
    got = f"{last.where}: {last.name} is signed by {issuer}, which is neither behind it nor in {whose}"
    wrong.append(Complaint(part, got, _WHOLE, fix))
    return ""


def _offered(certificate: x509.Certificate) -> str:
    """Where it says that its authority's certificate is."""
    access = extension(certificate, x509.AuthorityInformationAccess)
    if isinstance(access, x509.AuthorityInformationAccess):
        for each in access:
            if each.access_method == AuthorityInformationAccessOID.CA_ISSUERS:
                return f" (it is at {each.access_location.value})"
    return ""


def _stray(found: Found) -> Complaint:
    got = f"{found.where}: {found.name}, which has signed nothing of this chain"
    return Complaint(found.part, got, _WHOLE, "take it out")


def _is_authority(certificate: x509.Certificate) -> bool:
    basic = extension(certificate, x509.BasicConstraints)
    return isinstance(basic, x509.BasicConstraints) and basic.ca


def _refused(key: Any) -> str:
    """What a public key is that gateways do not take; empty where they do."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"an RSA key of {key.key_size} bits" if key.key_size < _RSA_BITS else ""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "" if key.curve.name in _CURVES else f"an ECDSA key over {key.curve.name}"
    return f"a key of the kind {type(key).__name__.lstrip('_').removesuffix('PublicKey')}"


def _known(authority: x509.Certificate) -> str:
    """An authority in words that tell it from others."""
    return f"{named(authority.subject)} ({authority.fingerprint(SHA256()).hex()[:16]})"


def _pkcs8(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
