"""`crossmesh:network:TunnelKey`."""

from __future__ import annotations

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from playbooks.provider import sdk
from playbooks.provider.resources.base import Changes, Operation, Resource, differing
from playbooks.provider.values import UNKNOWN, Properties


class TunnelKey(Resource):
    """A key pair of WireGuard's, of one node for life."""

    schema = sdk.TunnelKey.schema()

    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        return Changes(replaces=differing(("host",), old, new))

    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        if operation.preview:
            return {**inputs, "private_key": UNKNOWN, "public_key": UNKNOWN}
        key = X25519PrivateKey.generate()
        pair = {"private_key": key.private_bytes_raw(), "public_key": key.public_key().public_bytes_raw()}
        return {**inputs, **{name: b64encode(raw).decode() for name, raw in pair.items()}}
