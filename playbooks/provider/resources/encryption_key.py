"""`crossmesh:kubernetes:EncryptionKey`."""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode

from playbooks.provider import sdk
from playbooks.provider.resources.base import Changes, Operation, Resource, differing
from playbooks.provider.values import UNKNOWN, Properties

_BYTES = 32
"""As secretbox (XSalsa20 and Poly1305) takes it."""
_NAMED = 8
"""Hexadecimal digits of its digest in its name: two keys of one cluster have two names."""


class EncryptionKey(Resource):
    """A key of one cluster for life."""

    schema = sdk.EncryptionKey.schema()

    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        return Changes(replaces=differing(("cluster", "number"), old, new))

    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        if operation.preview:
            return {**inputs, "key_name": UNKNOWN, "secret": UNKNOWN}
        key = secrets.token_bytes(_BYTES)
        name = f"key-{hashlib.sha256(key).hexdigest()[:_NAMED]}"
        return {**inputs, "key_name": name, "secret": b64encode(key).decode()}
