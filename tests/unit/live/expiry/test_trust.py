"""What `up` has issued, by the state."""

from __future__ import annotations

from datetime import UTC, datetime

from live.expiry import trust
from live.expiry.model import Kind, State
from tests.unit.live.drift.support import resource, state_of
from tests.unit.operations.support import issue

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
    found = {entry.place: entry for entry in trust.look(state)}
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
        )
    )
    assert {entry.state(datetime.now(UTC)) for entry in found} == {State.UNREADABLE}
