"""`crossmesh:tls:SigningKey`."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from playbooks.provider import sdk, tls
from playbooks.provider.resources.base import Changes, Operation, Resource, adopted, differing
from playbooks.provider.values import UNKNOWN, Properties


class SigningKey(Resource):
    """A pair of keys that is kept for life: what was signed by an earlier one would count for nothing."""

    schema = sdk.SigningKey.schema()

    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        return Changes(replaces=differing(("purpose",), old, new))

    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        if operation.preview:
            return {**inputs, "private_key": UNKNOWN, "public_key": UNKNOWN}
        found = await adopted(operation, inputs)
        private = tls.key_pem(tls.load_key(found[1])) if found else tls.new_key()
        public = tls.load_key(private).public_key()
        text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return {"purpose": inputs["purpose"], "private_key": private, "public_key": text}
