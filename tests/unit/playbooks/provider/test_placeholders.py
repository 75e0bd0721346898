"""States that no `up` left: they stand for a declaration, so that a change can be compared with it."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.proto.provider_pb2 import DiffRequest, DiffResponse

from playbooks.provider.provider import Crossmesh
from playbooks.provider.values import UNKNOWN, from_properties
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio

URN = "urn:pulumi:s::p::crossmesh:tls:CertificateAuthority::root"
DECLARED = {"common_name": "root", "validity_days": 3650, "renew_before_days": 365}
LEFT = {**DECLARED, **dict.fromkeys(("certificate", "private_key", "chain", "not_after"), UNKNOWN)}


async def diff(old: dict[str, Any], new: dict[str, Any]) -> DiffResponse:
    olds, news = (PropertyValue.marshal_map(from_properties(values, ())) for values in (old, new))
    request = DiffRequest(urn=URN, id="root", olds=olds, news=news)
    response: DiffResponse = await Crossmesh(FakeEngine()).Diff(request, None)  # type: ignore[arg-type]
    return response


async def test_outputs_that_are_not_known_are_no_reason_for_a_change() -> None:
    assert (await diff(LEFT, DECLARED)).changes == DiffResponse.DIFF_NONE


async def test_a_changed_input_still_is() -> None:
    response = await diff(LEFT, {**DECLARED, "common_name": "other"})
    assert (response.changes, list(response.diffs)) == (DiffResponse.DIFF_SOME, ["common_name"])


async def test_an_input_that_only_up_can_know_counts_as_the_same() -> None:
    assert (await diff(LEFT, {**DECLARED, "private_key": UNKNOWN})).changes == DiffResponse.DIFF_NONE
