"""`crossmesh:tls:GivenCertificate`."""

from __future__ import annotations

from playbooks.provider import sdk, tls
from playbooks.provider.resources.base import Changes, Checked, Operation, Resource, differing
from playbooks.provider.values import UNKNOWN, Properties, has_unknown
from report.errors import OperationsError


class GivenCertificate(Resource):
    """A certificate that was given: kept as it is, for those who show it, and those who ask what is shown.

    Whether it serves was seen to before, where it was read (`stacks.given`).
    """

    schema = sdk.GivenCertificate.schema()
    _parts = tuple(field.name for field in schema.inputs)

    async def check(self, operation: Operation, old: Properties, new: Properties) -> Checked:
        """Take from the state what nobody knows where this runs: it counts as unchanged."""
        missing = [name for name in self._parts if new.get(name) is None]
        kept = {name: old.get(name, UNKNOWN) for name in missing}
        if "private_key" in kept and "chain" not in kept and new["chain"] != old.get("chain"):
            # Another certificate may well have another key.
            kept["private_key"] = UNKNOWN
        return Checked(inputs=kept)

    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        return Changes(updates=differing(self._parts, old, new))

    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        chain = inputs["chain"]
        if has_unknown(inputs) and not operation.preview:
            name = inputs["certificate_name"]
            msg = f"a part of certificate {name!r} is not known"
            raise OperationsError(msg, fix=f"give all parts of `certificates.{name}`, and run `up` again")
        leaf = UNKNOWN if chain is UNKNOWN else tls.certificate_pem(tls.load_certificate(chain))
        return {**inputs, "certificate": leaf}
