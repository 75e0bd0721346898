"""A key that something is signed by: made once, and kept."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from playbooks.provider.resources.signing_key import SigningKey
from playbooks.provider.values import UNKNOWN
from tests.unit.playbooks.provider.test_tunnel_key import operation

pytestmark = pytest.mark.anyio
INPUTS = {"purpose": "service accounts' tokens"}


async def test_the_public_key_is_that_of_the_private_one_and_both_are_kept() -> None:
    made = await SigningKey().create(operation(), INPUTS)
    key = load_pem_private_key(made["private_key"].encode(), None)
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert load_pem_public_key(made["public_key"].encode()).public_bytes(
        *form
    ) == key.public_key().public_bytes(*form)
    assert made != await SigningKey().create(operation(), INPUTS)
    assert not (await SigningKey().diff(operation(), made, INPUTS)).any
    assert list((await SigningKey().diff(operation(), made, {"purpose": "x"})).replaces) == ["purpose"]


async def test_a_preview_makes_none() -> None:
    shown = await SigningKey().create(operation(preview=True), INPUTS)
    assert shown["private_key"] is UNKNOWN and shown["public_key"] is UNKNOWN


def test_the_private_key_is_a_secret() -> None:
    assert "private_key" in SigningKey.schema.secrets
