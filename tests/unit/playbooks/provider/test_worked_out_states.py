"""States that no `up` left: worked out from a declaration, so that a change can be compared with it."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.provider.experimental import provider as sdk

from playbooks.provider.provider import Crossmesh
from playbooks.provider.values import UNKNOWN, from_properties
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio

AUTHORITY = "crossmesh:tls:CertificateAuthority"
DECLARED = {"common_name": "root", "validity_days": 3650, "renew_before_days": 365}
LEFT = {**DECLARED, **dict.fromkeys(("certificate", "private_key", "chain", "not_after"), UNKNOWN)}


async def diff(old: dict[str, Any], new: dict[str, Any]) -> sdk.DiffResponse:
    request = sdk.DiffRequest(
        urn=f"urn:pulumi:s::p::{AUTHORITY}::root",
        resource_id="root",
        old_state=from_properties(old, ()),
        new_inputs=from_properties(new, ()),
        ignore_changes=[],
    )
    return await Crossmesh(FakeEngine()).diff(request)


async def test_outputs_that_are_not_known_are_no_reason_for_a_change() -> None:
    assert not (await diff(LEFT, DECLARED)).changes


async def test_a_changed_input_still_is() -> None:
    found = await diff(LEFT, {**DECLARED, "common_name": "other"})
    assert found.changes
    assert found.diffs == ["common_name"]


async def test_an_input_that_only_up_can_know_counts_as_the_same() -> None:
    assert not (await diff(LEFT, {**DECLARED, "private_key": UNKNOWN})).changes
