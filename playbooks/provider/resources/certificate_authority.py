"""`crossmesh:tls:CertificateAuthority`."""

from __future__ import annotations

from playbooks.provider import sdk, tls
from playbooks.provider.resources import certificates
from playbooks.provider.resources.base import Changes, Checked, Context, Operation, Resource
from playbooks.provider.tls import Request
from playbooks.provider.values import UNKNOWN, Properties, has_unknown
from report.errors import OperationsError

_REISSUED_FOR = ("common_name", "organization", "path_length", "dns_names")


class CertificateAuthority(Resource):
    """A root, or an intermediate. It keeps its key for life unless the program gives another one."""

    schema = sdk.CertificateAuthority.schema()

    async def check(
        self, context: Context, urn: str, old: Properties, new: Properties, seed: bytes
    ) -> Checked:
        failures = certificates.problems(new)
        key = new.get("private_key")
        if isinstance(key, str):
            try:
                tls.load_key(key)
            except OperationsError as exc:
                failures.append(("private_key", str(exc)))
        return Checked(failures=failures)

    async def diff(self, context: Context, urn: str, old: Properties, new: Properties) -> Changes:
        request = None if has_unknown(new) else _request(new)
        changes = certificates.changes(_REISSUED_FOR, old, new, request)
        given = new.get("private_key")
        if given is UNKNOWN or (given is not None and not _same_key(given, old["private_key"])):
            return Changes(updates=[*changes.updates, "private_key"])
        return changes

    async def create(self, context: Context, operation: Operation, inputs: Properties) -> Properties:
        if operation.preview:
            return _state(inputs, private_key=UNKNOWN, certificate=None)
        key = inputs.get("private_key") or tls.new_key()
        return _issued(inputs, key)

    async def update(
        self, context: Context, operation: Operation, old: Properties, new: Properties
    ) -> Properties:
        if operation.preview:
            # The engine leaves out of an old state what is not known.
            key = new.get("private_key") or old.get("private_key", UNKNOWN)
            return _state(new, private_key=key, certificate=None)
        return _issued(new, new.get("private_key") or old["private_key"])


def _request(inputs: Properties) -> Request:
    return Request(
        common_name=inputs["common_name"],
        validity_days=inputs["validity_days"],
        organizations=(inputs["organization"],) if inputs.get("organization") else (),
        dns_names=tuple(inputs.get("dns_names") or ()),
        ca=True,
        path_length=inputs.get("path_length"),
    )


def _same_key(one: str, other: str) -> bool:
    return tls.load_key(one).public_key() == tls.load_key(other).public_key()


def _issued(inputs: Properties, key: str) -> Properties:
    issuer = certificates.issuer_of(inputs)
    key = tls.key_pem(tls.load_key(key))
    certificate = tls.issue(_request(inputs), key, issuer)
    state = _state(inputs, private_key=key, certificate=certificate)
    state["chain"] = certificate if issuer is None else certificate + issuer.chain
    state["root_certificate"] = certificate if issuer is None else issuer.root_certificate
    return state


def _state(inputs: Properties, *, private_key: object, certificate: str | None) -> Properties:
    """Return the state; without a certificate, what follows from it is not known yet."""
    kept = {name: inputs.get(name) for name in (*_REISSUED_FOR, "validity_days", "renew_before_days")}
    return {
        **kept,
        "private_key": private_key,
        "certificate": certificate or UNKNOWN,
        "chain": UNKNOWN,
        "root_certificate": UNKNOWN,
        "not_after": tls.not_after(certificate) if certificate else UNKNOWN,
        "public_key_hash": tls.public_key_hash(certificate) if certificate else UNKNOWN,
        "issuer_certificate": certificates.issuer_certificate(inputs),
    }
