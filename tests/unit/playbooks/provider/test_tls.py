from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from playbooks.provider import tls
from playbooks.provider.tls import Issuer, Request
from report.errors import OperationsError

DAY = timedelta(days=1)


def authority(name: str, issuer: Issuer | None = None, days: int = 3650) -> Issuer:
    key = tls.new_key()
    certificate = tls.issue(Request(name, days, ca=True), key, issuer)
    chain = certificate + issuer.chain if issuer else ""
    return Issuer(certificate, key, chain, issuer.root_certificate if issuer else certificate)


def openssl(*arguments: str) -> str:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True).stdout


def test_openssl_verifies_a_server_certificate_up_to_the_root_through_two_intermediates(
    tmp_path: Path,
) -> None:
    lower = authority("lower", authority("upper", authority("root")))
    request = Request(
        "leaf", 90, dns_names=("a.example.org",), ip_addresses=("10.0.0.1",), usages=("server auth",)
    )
    leaf = tls.issue(request, tls.new_key(), lower)
    for name, text in {"root": lower.root_certificate, "chain": lower.chain, "leaf": leaf}.items():
        (tmp_path / name).write_text(text)
    files = ["-CAfile", str(tmp_path / "root"), "-untrusted", str(tmp_path / "chain"), str(tmp_path / "leaf")]
    names = ["-purpose", "sslserver", "-verify_hostname", "a.example.org", "-verify_ip", "10.0.0.1"]
    assert "OK" in openssl("verify", "-x509_strict", *names, *files)


def test_an_intermediate_with_path_length_zero_cannot_have_another_authority_below(tmp_path: Path) -> None:
    root = authority("root")
    key = tls.new_key()
    middle = tls.issue(Request("middle", 90, ca=True, path_length=0), key, root)
    lower = authority("lower", Issuer(middle, key, middle, root.certificate))
    (tmp_path / "root").write_text(root.certificate)
    (tmp_path / "chain").write_text(lower.chain)
    (tmp_path / "leaf").write_text(tls.issue(Request("leaf", 9), tls.new_key(), lower))
    with pytest.raises(subprocess.CalledProcessError) as refused:
        openssl(
            "verify",
            "-CAfile",
            str(tmp_path / "root"),
            "-untrusted",
            str(tmp_path / "chain"),
            str(tmp_path / "leaf"),
        )
    assert "path length constraint exceeded" in refused.value.stderr


def test_the_public_key_hash_is_the_one_that_openssl_makes_for_kubeadm(tmp_path: Path) -> None:
    root = authority("root")
    (tmp_path / "root").write_text(root.certificate)
    public = openssl("x509", "-in", str(tmp_path / "root"), "-noout", "-pubkey")
    (tmp_path / "pub").write_text(public)
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", str(tmp_path / "pub"), "-outform", "der"],
        capture_output=True,
        check=True,
    ).stdout
    digest = subprocess.run(["openssl", "sha256", "-r"], input=der, capture_output=True, check=True).stdout
    assert tls.public_key_hash(root.certificate) == "sha256:" + digest.decode().split()[0]


def test_a_certificate_does_not_outlive_its_issuer() -> None:
    root = authority("root", days=10)
    leaf = tls.load_certificate(tls.issue(Request("leaf", 90, usages=("client auth",)), tls.new_key(), root))
    assert leaf.not_valid_after_utc == tls.load_certificate(root.certificate).not_valid_after_utc


def test_a_key_of_another_authority_is_refused() -> None:
    one, other = authority("one"), authority("other")
    mixed = Issuer(one.certificate, other.private_key, "", one.certificate)
    with pytest.raises(OperationsError, match="does not belong"):
        tls.issue(Request("leaf", 90), tls.new_key(), mixed)


def test_a_key_that_cannot_be_read_is_not_quoted() -> None:
    with pytest.raises(OperationsError) as caught:
        tls.load_key("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----")
    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize(("left", "due"), [(31, False), (29, True), (-1, True)])
def test_renewal_is_due_within_its_time_before_the_end(left: int, due: bool) -> None:
    end = (datetime.now(UTC) + left * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert tls.renewal_due(end, Request("x", 90), 30, None) is due


def test_renewal_is_not_due_when_the_issuer_ends_as_soon() -> None:
    root = authority("root", days=10)
    assert not tls.renewal_due(tls.not_after(root.certificate), Request("x", 90), 30, root)


def test_a_root_says_who_may_follow_it_and_names_its_organization() -> None:
    request = Request(
        "root", 10, organizations=("Example",), ca=True, path_length=1, dns_names=("ca.example.org",)
    )
    certificate = tls.load_certificate(tls.issue(request, tls.new_key(), None))
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 1)
    assert certificate.subject.rfc4514_string() == "CN=root,O=Example"


def test_a_name_longer_than_x509_allows_is_shortened_and_stays_apart_from_others() -> None:
    host = "assets.internal.a-rather-long-name-of-a-department.emea.example.org"
    request = Request(host, 90, organizations=(f"{host}.one",), dns_names=(host,))
    certificate = x509.load_pem_x509_certificate(
        tls.issue(request, tls.new_key(), authority("root")).encode()
    )
    shown = [attribute.value for attribute in certificate.subject]
    assert all(len(value) == 64 for value in shown)
    assert len(set(shown)) == 2
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [host]


OLD = Request("root", 3650, ("example.test",), ca=True)


@pytest.mark.parametrize(
    ("new", "same_key", "depth", "trusted"),
    [
        (OLD, True, 1, True),
        (OLD, False, 1, False),
        (replace(OLD, common_name="other"), True, 0, False),
        (replace(OLD, organizations=()), True, 1, False),
        (replace(OLD, path_length=0), True, 0, True),
        (replace(OLD, path_length=0), True, 1, False),
        (replace(OLD, path_length=1), True, 2, False),
        (replace(OLD, validity_days=1), True, 1, True),
    ],
)
def test_what_an_old_root_signed_is_tried_by_the_new_one(
    new: Request, same_key: bool, depth: int, trusted: bool
) -> None:
    assert tls.still_trusted(OLD, new, same_key=same_key, depth=depth) is trusted
