"""Given certificates: what is right is put in order, and each way to be wrong is told with its place."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from stacks.given import SYSTEM, Complaint, Given, Parts, ends_soon, examine
from stacks.pem import Text, covers
from tests.unit.stacks.pki import HOST, LEAF, LOWER, MIDDLE, NOW, ROOT, Pair, authority, make

OTHER = authority("other")


def text(name: str, *pairs: Pair) -> Text:
    return Text(name, "".join(pair.pem for pair in pairs))


def parts(leaf: Pair = LEAF, **changes: Any) -> Parts:
    """What is right, but for `changes`."""
    found: dict[str, Any] = {
        "certificate": text("site.pem", leaf),
        "chain": text("chain.pem", LOWER, MIDDLE),
        "private_key": Text("site.key", leaf.key_pem),
        "ca": text("ca.pem", ROOT),
    }
    return Parts(**{**found, **changes})


def right(found: Parts, hosts: Sequence[str] = (HOST,)) -> Given:
    given, complaints = examine(hosts, found, NOW)
    assert given is not None and not complaints, complaints
    return given


def wrong(found: Parts, hosts: Sequence[str] = (HOST,)) -> Complaint:
    """The one complaint."""
    given, complaints = examine(hosts, found, NOW)
    assert given is None
    (complaint,) = complaints
    return complaint


def test_what_is_right_is_told_of() -> None:
    given = right(parts())
    assert given.chain == LEAF.pem + LOWER.pem + MIDDLE.pem
    assert given.private_key == LEAF.key_pem
    assert given.ca == ROOT.pem
    assert (given.subject, given.issuer) == ("CN=shop", "CN=lower")
    assert given.serial == f"{LEAF.certificate.serial_number:x}"
    assert given.names == (HOST, "*.eu.example.test")
    assert given.not_after == LEAF.certificate.not_valid_after_utc
    assert given.anchor in given.authorities and given.anchor.startswith("CN=root (")


@pytest.mark.parametrize("order", list(itertools.permutations((LEAF, LOWER, MIDDLE, ROOT))))
def test_a_chain_is_put_in_order_and_loses_its_root(order: tuple[Pair, ...]) -> None:
    given = right(parts(certificate=text("site.pem", *order), chain=None))
    assert given.chain == LEAF.pem + LOWER.pem + MIDDLE.pem


def test_its_time_is_that_of_the_one_that_ends_first() -> None:
    young = authority("young", ROOT, start=NOW - timedelta(days=1))
    leaf = make("a", young, hosts=(HOST,), start=NOW - timedelta(days=80))
    given = right(parts(leaf, chain=text("chain.pem", young)))
    assert (given.not_before, given.not_after) == (NOW - timedelta(days=80), NOW + timedelta(days=10))
    old = authority("old", ROOT, days=20)
    given = right(parts(make("a", old, hosts=(HOST,)), chain=text("chain.pem", old)))
    assert (given.not_before, given.not_after) == (NOW - timedelta(days=10), NOW + timedelta(days=10))


def test_what_stands_in_two_files_is_shown_once() -> None:
    given = right(parts(certificate=text("site.pem", LEAF, LOWER), chain=text("chain.pem", LOWER, MIDDLE)))
    assert given.chain == LEAF.pem + LOWER.pem + MIDDLE.pem


def test_without_the_key_all_else_is_looked_at() -> None:
    given = right(parts(private_key=None))
    assert given.private_key is None
    assert wrong(parts(private_key=None, chain=text("chain.pem", LOWER))).part == "chain"


def test_an_authority_that_another_one_has_signed_too_is_kept() -> None:
    crossed = make("middle", OTHER, ca=True, days=3650, key=MIDDLE.key)
    given = right(parts(chain=text("chain.pem", LOWER, MIDDLE, crossed)))
    assert given.chain == LEAF.pem + LOWER.pem + MIDDLE.pem + crossed.pem
    assert (
        right(parts(chain=text("chain.pem", LOWER, crossed), ca=text("ca.pem", OTHER))).issuer == "CN=lower"
    )


def test_a_certificate_that_signs_itself_serves_who_trusts_it() -> None:
    alone = make("alone", hosts=(HOST,))
    assert right(parts(alone, chain=None, ca=text("ca.pem", alone))).chain == alone.pem


def test_without_an_authority_of_its_own_it_is_verified_by_the_system() -> None:
    given = right(parts(ca=None, system=(ROOT.certificate,)))
    assert (given.ca, given.anchor, given.authorities) == ("", SYSTEM, (SYSTEM,))
    complaint = wrong(parts(ca=None, system=(OTHER.certificate,)))
    assert "neither behind it nor in the system's store" in complaint.got
    assert "declare what clients trust: `ca`" in complaint.fix
    # A machine without a store cannot tell.
    assert right(parts(ca=None)).authorities == (SYSTEM,)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_keys_that_gateways_take_are_taken(curve: ec.EllipticCurve) -> None:
    right(parts(make("a", LOWER, hosts=(HOST,), key=ec.generate_private_key(curve))))


def test_keys_of_rsa_are_taken_in_the_older_form_too() -> None:
    leaf = make("a", LOWER, hosts=(HOST,), key=rsa.generate_private_key(65537, 2048))
    form = PrivateFormat.TraditionalOpenSSL
    older = leaf.key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    assert "RSA PRIVATE KEY" in older
    assert right(parts(leaf, private_key=Text("site.key", older))).private_key == leaf.key_pem


WRONG_LEAVES = {
    "has ended": ({"start": NOW - timedelta(days=91)}, "site.pem:1: CN=a ended on 2026-05-31"),
    "is not valid yet": ({"start": NOW + timedelta(days=1)}, "is not valid before 2026-06-02"),
    "is for another host": ({"hosts": ("other.test",)}, f"is not for {HOST}: it is for other.test"),
    "has no names": ({"hosts": ()}, "it has no DNS name as a subject alternative name"),
    "is not for servers": ({"uses": (ExtendedKeyUsageOID.CLIENT_AUTH,)}, "is not for servers"),
    "may sign nothing": ({"usage": False}, "may sign nothing"),
    "has a short key": ({"key": rsa.generate_private_key(65537, 1024)}, "an RSA key of 1024 bits"),
    "has an odd curve": ({"key": ec.generate_private_key(ec.SECP256K1())}, "over secp256k1"),
    "has a key of Edwards": ({"key": ed25519.Ed25519PrivateKey.generate()}, "a key of the kind Ed25519"),
    "must be stapled": (
        {"extensions": (x509.TLSFeature([x509.TLSFeatureType.status_request]),)},
        "must be stapled",
    ),
}


@pytest.mark.parametrize("what", WRONG_LEAVES)
def test_a_certificate_that_would_not_serve_is_refused(what: str) -> None:
    changes, words = WRONG_LEAVES[what]
    leaf = make("a", LOWER, **{"hosts": (HOST,), **changes})
    given, complaints = examine((HOST,), parts(leaf), NOW)
    assert given is None
    assert any(words in complaint.got for complaint in complaints), complaints
    assert all(complaint.rule and complaint.fix for complaint in complaints)


def test_an_authority_s_own_certificate_is_shown_for_no_host() -> None:
    _, complaints = examine((HOST,), parts(authority("a", LOWER, hosts=(HOST,))), NOW)
    assert "site.pem:1: CN=a is an authority's own" in {complaint.got for complaint in complaints}


def test_a_signature_that_clients_refuse_is_refused() -> None:
    # No library signs by SHA-1 any more; of what signs by a key of Edwards clients say the same.
    signer = authority("edwards", ROOT, key=ed25519.Ed25519PrivateKey.generate())
    leaf = make("a", signer, hosts=(HOST,), digest=None)
    _, complaints = examine((HOST,), parts(leaf, chain=text("chain.pem", signer)), NOW)
    assert any("CN=a is signed by an algorithm" in complaint.got for complaint in complaints)
    short = make("a", LOWER, hosts=(HOST,), digest=hashes.SHA224)
    assert "is signed by SHA224" in wrong(parts(short)).got


def test_the_key_is_that_of_the_certificate() -> None:
    other = make("b", LOWER, hosts=(HOST,))
    complaint = wrong(parts(private_key=Text("site.key", other.key_pem)))
    assert complaint.part == "privateKey"
    assert complaint.got == "the key of another certificate than CN=shop (site.pem:1)"


def test_of_several_certificates_the_one_of_the_key_is_shown() -> None:
    other = make("b", LOWER, hosts=(HOST,))
    found = parts(certificate=text("site.pem", other, LEAF))
    assert "CN=b, which has signed nothing of this chain" in wrong(found).got


KEYS = {
    "is no PEM": ("\x00\x01", "nothing that begins with -----BEGIN PRIVATE KEY-----"),
    "is cut off": (LEAF.key_pem.replace("-----END", "QUJD\n-----END"), "a key that cannot be read"),
    "are two": (LEAF.key_pem + ROOT.key_pem, "site.key:6: another private key"),
    "wants a passphrase": (
        LEAF.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a")).decode(),
        "a key with a passphrase",
    ),
}


@pytest.mark.parametrize("what", KEYS)
def test_a_key_that_cannot_be_used_is_refused_and_never_quoted(what: str) -> None:
    content, words = KEYS[what]
    complaint = wrong(parts(private_key=Text("site.key", content)))
    assert (complaint.part, words in complaint.got) == ("privateKey", True), complaint
    assert not any(line in str(complaint) for line in content.splitlines() if len(line) > 40)


def test_no_private_key_stands_among_certificates() -> None:
    for part in ("certificate", "chain", "ca"):
        content = Text("file.pem", ROOT.pem + LEAF.key_pem)
        found = parts(**{part: content})
        _, complaints = examine((HOST,), found, NOW)
        line = ROOT.pem.count("\n") + 1
        assert [(each.part, each.got) for each in complaints] == [(part, f"file.pem:{line}: a private key")]
        assert LEAF.key_pem not in repr(found)


CHAINS = {
    "lacks one": ((LOWER,), "CN=lower is signed by CN=middle, which is neither behind it nor in `ca`"),
    "holds a stranger": ((LOWER, MIDDLE, OTHER), "CN=other, which has signed nothing of this chain"),
}


@pytest.mark.parametrize("what", CHAINS)
def test_a_chain_that_is_not_whole_is_refused(what: str) -> None:
    chain, words = CHAINS[what]
    complaint = wrong(parts(chain=text("chain.pem", *chain)))
    assert complaint.part == "chain" and words in complaint.got
    assert complaint.got.startswith("chain.pem:")


def test_where_the_missing_authority_is_offered_that_is_told() -> None:
    place = x509.UniformResourceIdentifier("http://ca.example.test/middle.crt")
    access = x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, place)]
    )
    leaf = make("a", LOWER, hosts=(HOST,), extensions=(access,))
    assert "http://ca.example.test/middle.crt" in wrong(parts(leaf, chain=None)).fix


WRONG_AUTHORITIES = {
    "has ended": (authority("upper", ROOT, days=5), "CN=upper ended on"),
    "is none": (make("upper", ROOT, days=3650), "signs a certificate and is no authority"),
    "may not sign": (authority("upper", ROOT, usage=False), "may sign no certificates"),
    "has a short key": (
        authority("upper", ROOT, key=rsa.generate_private_key(65537, 1024)),
        "has an RSA key of 1024 bits",
    ),
}


@pytest.mark.parametrize("what", WRONG_AUTHORITIES)
def test_an_authority_that_clients_refuse_is_refused(what: str) -> None:
    upper, words = WRONG_AUTHORITIES[what]
    leaf = make("a", upper, hosts=(HOST,))
    complaint = wrong(parts(leaf, chain=text("chain.pem", upper)))
    assert complaint.part == "chain" and words in complaint.got


def test_an_authority_has_no_more_below_it_than_it_allows() -> None:
    upper = authority("upper", ROOT, path_length=0)
    below = authority("below", upper)
    leaf = make("a", below, hosts=(HOST,))
    assert (
        "allows 0 authorities below it, and has 1"
        in wrong(parts(leaf, chain=text("chain.pem", below, upper))).got
    )


def test_a_text_that_holds_no_certificate_is_told_how_to_become_one() -> None:
    assert "openssl x509 -inform der" in wrong(parts(certificate=Text("site.pem", "DER"))).fix
    trusted = LEAF.pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE")
    assert "plain PEM" in wrong(parts(certificate=Text("site.pem", trusted))).fix
    cut = LEAF.pem.replace("\n", "\nAAAA", 3)
    assert "cannot be read" in wrong(parts(certificate=Text("site.pem", cut))).got


def test_a_secret_is_named_as_one() -> None:
    found = parts(certificate=Text("the secret crossmesh:site", f"notes\n\n{OTHER.key_pem}{LEAF.pem}"))
    assert wrong(found).got == "the secret crossmesh:site, line 3: a private key"


@pytest.mark.parametrize(
    ("name", "host", "is_covered"),
    [
        ("a.example.test", "a.example.test", True),
        ("*.example.test", "a.example.test", True),
        ("*.example.test", "*.example.test", True),
        ("*.example.test", "a.b.example.test", False),
        ("*.example.test", "example.test", False),
        ("*.example.test", "*.b.example.test", False),
        ("a*.example.test", "ab.example.test", False),
        ("*", "example", False),
        ("a.*.test", "a.b.test", False),
        ("b.example.test", "a.example.test", False),
    ],
)
def test_an_asterisk_is_one_whole_label_and_the_first(name: str, host: str, is_covered: bool) -> None:
    assert covers(name, host) is is_covered


def test_what_lasts_long_ends_soon_a_month_before_and_what_does_not_a_fifth_before() -> None:
    assert ends_soon(NOW, NOW + timedelta(days=365)) == NOW + timedelta(days=335)
    assert ends_soon(NOW, NOW + timedelta(days=90)) == NOW + timedelta(days=72)
