"""A given certificate in the state: what is not known where a preview runs counts as unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from playbooks.provider.fleet import Fleet
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.given_certificate import GivenCertificate
from playbooks.provider.sdk import GivenCertificate as Declared
from playbooks.provider.values import UNKNOWN
from report.errors import OperationsError
from tests.unit.playbooks.provider.support import FakeEngine
from tests.unit.stacks.pki import LEAF, LOWER, ROOT

pytestmark = pytest.mark.anyio

CONTEXT = Context(FakeEngine(), Fleet(), None)
UP, PREVIEW = Operation(CONTEXT, "urn"), Operation(CONTEXT, "urn", preview=True)
GIVEN = {
    "certificate_name": "site",
    "chain": LEAF.pem + LOWER.pem,
    "private_key": LEAF.key_pem,
    "ca": ROOT.pem,
    "anchor": "CN=root",
    "authorities": ["CN=root"],
    "subject": "CN=shop",
    "issuer": "CN=lower",
    "serial": "1",
    "dns_names": ["shop.example.test"],
    "not_before": "2026-01-01T00:00:00+00:00",
    "not_after": "2026-06-01T00:00:00+00:00",
}
ELSEWHERE = {key: value for key, value in GIVEN.items() if key != "private_key"}


async def checked(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {**new, **(await GivenCertificate().check(PREVIEW, old, new)).inputs}


async def test_it_is_kept_as_it_is_with_the_certificate_alone_beside() -> None:
    state = await GivenCertificate().create(UP, GIVEN)
    assert state == {**GIVEN, "certificate": LEAF.pem}
    assert not (await GivenCertificate().diff(UP, state, GIVEN)).any


async def test_another_certificate_is_an_update_in_place() -> None:
    changes = await GivenCertificate().diff(UP, GIVEN, {**GIVEN, "serial": "2", "chain": LOWER.pem})
    assert (list(changes.updates), list(changes.replaces)) == (["chain", "serial"], [])


async def test_what_is_not_known_counts_as_unchanged() -> None:
    assert await checked(GIVEN, {"certificate_name": "site"}) == GIVEN
    assert await checked(GIVEN, ELSEWHERE) == GIVEN


async def test_the_key_of_another_certificate_is_not_known() -> None:
    found = await checked(GIVEN, {**ELSEWHERE, "chain": LOWER.pem})
    assert found["private_key"] is UNKNOWN
    assert (await GivenCertificate().diff(PREVIEW, GIVEN, found)).updates == ["chain", "private_key"]


async def test_where_there_is_no_state_it_is_known_by_up_alone() -> None:
    found = await checked({}, {"certificate_name": "site"})
    state = await GivenCertificate().create(PREVIEW, found)
    assert state["certificate"] is UNKNOWN and state["chain"] is UNKNOWN
    with pytest.raises(OperationsError, match="a part of certificate 'site' is not known"):
        await GivenCertificate().create(UP, found)


async def test_its_key_is_a_secret() -> None:
    assert Declared.schema().secrets == {"private_key", "chain"}
