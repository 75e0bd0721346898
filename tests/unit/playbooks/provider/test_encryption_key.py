from __future__ import annotations

import re
from base64 import b64decode

import pytest

from playbooks.provider.fleet import Fleet
from playbooks.provider.resources.base import Context, Operation
from playbooks.provider.resources.encryption_key import EncryptionKey
from playbooks.provider.values import UNKNOWN
from tests.unit.playbooks.provider.support import FakeEngine

pytestmark = pytest.mark.anyio
INPUTS = {"cluster": "eu"}


def operation(*, preview: bool = False) -> Operation:
    context = Context(FakeEngine(), Fleet(), None, preview=preview)  # type: ignore[arg-type]
    return Operation(context, "urn", preview=preview)


async def test_a_key_is_of_one_cluster_for_life_and_named_after_itself() -> None:
    made, other = [await EncryptionKey().create(operation(), INPUTS) for _ in range(2)]
    assert len(b64decode(made["secret"])) == 32
    assert re.fullmatch(r"key-[0-9a-f]{8}", made["key_name"])
    assert made["key_name"] != other["key_name"] and made["secret"] != other["secret"]
    assert not (await EncryptionKey().diff(operation(), made, INPUTS)).any
    assert list((await EncryptionKey().diff(operation(), made, {"cluster": "us"})).replaces) == ["cluster"]


async def test_a_preview_makes_no_key() -> None:
    shown = await EncryptionKey().create(operation(preview=True), INPUTS)
    assert shown == {**INPUTS, "key_name": UNKNOWN, "secret": UNKNOWN}


def test_the_key_is_a_secret_and_its_name_is_none() -> None:
    assert EncryptionKey.schema.secrets == {"secret"}
