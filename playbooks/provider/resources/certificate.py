"""`crossmesh:tls:Certificate`."""

from __future__ import annotations

import ipaddress

from playbooks.provider import sdk, tls
from playbooks.provider.resources import certificates
from playbooks.provider.resources.base import Changes, Checked, Context, Operation, Resource
from playbooks.provider.tls import Request
from playbooks.provider.values import UNKNOWN, Properties, has_unknown

_REISSUED_FOR = ("common_name", "organizations", "dns_names", "ip_addresses", "uris", "usages")


class Certificate(Resource):
    """A certificate with a key of its own, which is new each time that it is issued."""

    schema = sdk.Certificate.schema()

    async def check(
        self, context: Context, urn: str, old: Properties, new: Properties, seed: bytes
    ) -> Checked:
        failures = certificates.problems(new)
        for address in new.get("ip_addresses") or []:
            try:
                ipaddress.ip_address(address if address is not UNKNOWN else "0.0.0.0")
            except ValueError:
                failures.append(("ip_addresses", f"{address!r} is no IP address"))
        return Checked(failures=failures)

    async def diff(self, context: Context, urn: str, old: Properties, new: Properties) -> Changes:
        request = None if has_unknown(new) else _request(new)
        return certificates.changes(_REISSUED_FOR, old, new, request)

    async def create(self, context: Context, operation: Operation, inputs: Properties) -> Properties:
        kept = {name: inputs.get(name) for name in (*_REISSUED_FOR, "validity_days", "renew_before_days")}
        issued_by = {"issuer_certificate": certificates.issuer_certificate(inputs)}
        if operation.preview:
            open_values = dict.fromkeys(("certificate", "private_key", "chain", "not_after"), UNKNOWN)
            return {**kept, **issued_by, **open_values}
        issuer = certificates.issuer_of(inputs)
        key = tls.new_key()
        certificate = tls.issue(_request(inputs), key, issuer)
        return {
            **kept,
            **issued_by,
            "certificate": certificate,
            "private_key": key,
            "chain": certificate + (issuer.chain if issuer else ""),
            "not_after": tls.not_after(certificate),
        }

    async def update(
        self, context: Context, operation: Operation, old: Properties, new: Properties
    ) -> Properties:
        return await self.create(context, operation, new)


def _request(inputs: Properties) -> Request:
    return Request(
        common_name=inputs["common_name"],
        validity_days=inputs["validity_days"],
        organizations=tuple(inputs.get("organizations") or ()),
        dns_names=tuple(inputs.get("dns_names") or ()),
        ip_addresses=tuple(inputs.get("ip_addresses") or ()),
        uris=tuple(inputs.get("uris") or ()),
        usages=tuple(inputs["usages"]),
    )
