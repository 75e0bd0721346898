"""What `up` has issued, by the state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from live.expiry import trust
from live.expiry.model import Kind, State
from playbooks.tokens import GIVEN_CERTIFICATE
from tests.unit.live.drift.support import resource, state_of
from tests.unit.operations.support import STACK, issue

CA = issue("gateway CA", ca=True, days=3650)


def test_it_is_listed_with_from_when_up_renews_it() -> None:
    state = state_of(
        [
            resource(
                "crossmesh:tls:CertificateAuthority",
                "gateway-ca",
                {"renew_before_days": 1095},
                {"certificate": CA.pem},
            ),
            resource("crossmesh:tls:CertificateAuthority", "eu.cluster-ca", {}, {"certificate": CA.pem}),
            resource(
                "crossmesh:kubernetes:ServiceAccountToken",
                "eu.token",
                {"namespace": "a", "service_account": "b", "renew_before_seconds": 30 * 86400},
                {"expires_at": "2030-01-01T00:00:00Z"},
            ),
        ]
    )
    found = {entry.place: entry for entry in trust.look(state, STACK)}
    assert found["gateway-ca"].renewed_by == "`pulumi up`, from 1095 days before its end"
    assert found["eu.cluster-ca"].renewed_by.startswith("nobody")
    token = found["eu.token"]
    assert (token.kind, token.subject) == (Kind.TOKEN, "a/b")
    assert token.renewed_by == "`pulumi up`, from 30 days before its end"
    assert token.state(datetime(2029, 12, 20, tzinfo=UTC)) is State.SOON
    assert token.state(datetime(2030, 1, 2, tzinfo=UTC)) is State.ENDED


def test_what_the_state_does_not_say_is_not_readable() -> None:
    found = trust.look(
        state_of(
            [
                resource("crossmesh:tls:Certificate", "x"),
                resource("crossmesh:kubernetes:ServiceAccountToken", "y"),
            ]
        ),
        STACK,
    )
    assert {entry.state(datetime.now(UTC)) for entry in found} == {State.UNREADABLE}


def test_a_given_certificate_is_listed_with_its_chain_and_the_line_that_gives_it(tmp_path: Path) -> None:
    middle = issue("middle", CA, ca=True, days=5, age=300)
    leaf = issue("shop", middle, days=300)
    given = resource(
        GIVEN_CERTIFICATE, "site.given", {"certificate_name": "site"}, {"chain": leaf.pem + middle.pem}
    )
    stack = replace(STACK, path=tmp_path / "Pulumi.lab.yaml")
    text = "config:\n  crossmesh:environment:\n    certificates:\n      site: {}\n"
    stack.path.write_text(text)
    first, second = trust.look(state_of([given]), stack)
    assert (first.place, first.subject, first.at) == ("site.given", "CN=shop", "state")
    assert first.renewed_by.startswith("its owner, by ") and first.renewed_by.endswith("Pulumi.lab.yaml:4")
    assert (second.place, second.state(datetime.now(UTC))) == ("site.given (2)", State.SOON)
    assert "put it in the place of the one of `certificates.site`" in second.fix
    stack.path.write_text("config: {}\n")
    assert trust.look(state_of([given]), stack)[0].renewed_by == "nobody: the declaration has it no more"
