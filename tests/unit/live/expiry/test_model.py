"""How the time of a certificate is judged, and what is told of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.expiry.model import Entry, Kind, State, of_pem, of_public_key
from tests.unit.live.expiry.support import public
from tests.unit.operations.support import issue

NOW = datetime(2026, 11, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def entry(start: float, end: float) -> Entry:
    return Entry("eu", "eu-cp-1", "/x.crt", not_before=NOW + start * DAY, not_after=NOW + end * DAY)


@pytest.mark.parametrize(
    ("start", "end", "state"),
    [
        (-300, 65, State.OK),
        (-336, 29, State.SOON),
        (-366, -1, State.ENDED),
        (-365, 0, State.ENDED),
        (1, 365, State.EARLY),
        (-71, 19, State.OK),
        (-73, 17, State.SOON),
        (-0.5, 0.5, State.OK),
    ],
)
def test_what_ends_within_a_month_or_a_fifth_of_its_life_ends_soon(
    start: float, end: float, state: State
) -> None:
    assert entry(start, end).state(NOW) is state


def test_who_asks_for_another_time_is_answered_for_that_one() -> None:
    assert entry(-300, 65).state(NOW, 90 * DAY) is State.SOON
    assert entry(-336, 29).state(NOW, 10 * DAY) is State.OK
    assert entry(-366, -1).state(NOW, 10 * DAY) is State.ENDED


def test_what_nobody_could_see_is_told_from_what_is_unreadable() -> None:
    assert Entry("eu", "eu-cp-1", "", problem="no route", seen=False).state(NOW) is State.UNKNOWN
    assert Entry("eu", "eu-cp-1", "/x.crt", problem="no certificate").state(NOW) is State.UNREADABLE


def test_a_key_has_no_end_and_the_fingerprint_of_its_public_part() -> None:
    pair = issue("service accounts")
    found = of_public_key("eu", "eu-cp-1", "/sa.pub", public(pair), "nobody")
    assert (found.kind, found.not_after, len(found.fingerprint)) == (Kind.KEY, None, 16)
    assert found.state(NOW) is State.OK
    assert found.document(NOW)["daysLeft"] is None
    assert of_public_key("eu", "eu-cp-1", "/sa.pub", "x", "").state(NOW) is State.UNREADABLE


def test_each_certificate_of_a_bundle_is_told() -> None:
    root = issue("root", ca=True)
    leaf = issue("leaf", root)
    first, second = of_pem("eu", "cluster", "Secret a/b", leaf.pem + root.pem, "its owner")
    assert (first.place, second.place) == ("Secret a/b", "Secret a/b (2)")
    assert (first.subject, first.issuer, second.subject) == ("CN=leaf", "CN=root", "CN=root")
    (broken,) = of_pem("eu", "cluster", "Secret a/b", "x", "its owner", fix="look")
    assert (broken.problem, broken.fix) == ("it holds no certificate", "look")


@given(st.integers(-4000, 4000), st.integers(1, 4000), st.integers(1, 400))
def test_only_what_holds_now_and_for_long_enough_is_ok(start: int, life: int, within: int) -> None:
    found = entry(start, start + life)
    holds = start <= 0 < start + life
    assert (found.state(NOW) in (State.OK, State.SOON)) is holds
    assert (found.state(NOW, within * DAY) is State.OK) is (holds and start + life >= within)
