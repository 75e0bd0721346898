from __future__ import annotations

from cryptography import x509

from live import certificates
from tests.unit.operations.support import issue

SPIFFE = "spiffe://mesh.test/ns/a/sa/b"


def test_a_certificate_that_lasts_has_no_problem() -> None:
    assert certificates.validity_problem(issue("x", days=90).certificate) == ""


def test_an_expired_certificate_says_since_when() -> None:
    assert "expired" in certificates.validity_problem(issue("x", days=-3, age=30).certificate)


def test_a_certificate_that_ends_soon_says_when() -> None:
    assert "expires in 2 days" in certificates.validity_problem(issue("x", days=2.5, age=90).certificate)


def test_a_short_lived_certificate_is_judged_by_its_lifetime() -> None:
    assert certificates.validity_problem(issue("x", days=0.9, age=0.1).certificate) == ""


def test_a_certificate_of_the_future_says_from_when() -> None:
    assert "not valid before" in certificates.validity_problem(issue("x", days=90, age=-5).certificate)


def test_a_chain_leads_to_its_root_whether_or_not_it_holds_it() -> None:
    root = issue("root", ca=True)
    middle = issue("middle", root, ca=True)
    leaf = issue("leaf", middle)
    for pem in (leaf.pem + middle.pem, leaf.pem + middle.pem + root.pem):
        assert certificates.chain_problem(certificates.parse_chain(pem), root.certificate) == ""


def test_a_chain_of_another_root_is_refused_and_names_both() -> None:
    root, other = issue("root", ca=True), issue("other", ca=True)
    leaf = issue("leaf", other)
    problem = certificates.chain_problem([leaf.certificate], root.certificate)
    assert "leaf" in problem
    assert "root" in problem


def test_a_certificate_that_is_no_authority_signs_nothing() -> None:
    impostor = issue("impostor")
    assert not certificates.signed_by(issue("leaf", impostor).certificate, impostor.certificate)


def test_identities_are_the_spiffe_names_alone() -> None:
    sans = (x509.UniformResourceIdentifier(SPIFFE), x509.DNSName("a.test"))
    assert certificates.spiffe_ids(issue("x", sans=sans).certificate) == [SPIFFE]
    assert certificates.spiffe_ids(issue("x").certificate) == []
