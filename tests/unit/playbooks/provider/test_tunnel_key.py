from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from playbooks.provider.fleet import Fleet
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.tunnel_key import TunnelKey
from playbooks.provider.values import UNKNOWN
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio
INPUTS = {"host": "eu-cp-1"}


def operation(*, preview: bool = False) -> Operation:
    context = Context(FakeEngine(), Fleet(), None, preview=preview)  # type: ignore[arg-type]
    return Operation(context, "urn", preview=preview)


async def test_a_key_pair_is_of_one_host_for_life() -> None:
    made = await TunnelKey().create(operation(), INPUTS)
    private = X25519PrivateKey.from_private_bytes(b64decode(made["private_key"]))
    assert b64encode(private.public_key().public_bytes_raw()).decode() == made["public_key"]
    assert made != await TunnelKey().create(operation(), INPUTS)
    assert not (await TunnelKey().diff(operation(), made, INPUTS)).any
    assert list((await TunnelKey().diff(operation(), made, {"host": "eu-cp-2"})).replaces) == ["host"]


async def test_a_preview_makes_no_key() -> None:
    shown = await TunnelKey().create(operation(preview=True), INPUTS)
    assert shown == {**INPUTS, "private_key": UNKNOWN, "public_key": UNKNOWN}


def test_the_private_key_is_a_secret_and_the_public_one_is_none() -> None:
    assert TunnelKey.schema.secrets == {"private_key"}
