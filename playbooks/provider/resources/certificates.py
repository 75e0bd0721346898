"""`crossmesh:tls:CertificateAuthority` and `crossmesh:tls:Certificate`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from playbooks.provider import sdk, tls
from playbooks.provider.resources.base import Changes, Checked, Operation, Resource, adopted, differing
from playbooks.provider.schema import Failure
from playbooks.provider.tls import Issuer, Request
from playbooks.provider.values import UNKNOWN, Properties, has_unknown
from report.errors import OperationsError

_FORETOLD = timedelta(days=365)
_NAME = ("common_name", "organization")
"""Inputs that make up an authority's name."""


class _Issued(Resource):
    reissued_for: ClassVar[tuple[str, ...]]
    """Inputs that stand in it."""

    async def check(self, operation: Operation, old: Properties, new: Properties) -> Checked:
        return Checked(failures=_problems(new))

    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        updates = differing(self.reissued_for, old, new)
        issuer = _issuer_certificate(new)
        if issuer is UNKNOWN or issuer != old.get("issuer_certificate"):
            updates.append("issuer")
        if not updates and not has_unknown(new):
            renew_before = new.get("renew_before_days")
            if renew_before is None:
                await _tell_of_its_end(operation, old)
            elif tls.renewal_due(old["not_after"], self._request(new), renew_before, _issuer_of(new)):
                updates.append("not_after")
        return Changes(updates=updates)

    def _request(self, inputs: Properties) -> Request:
        return Request.of(inputs, ca=isinstance(self, CertificateAuthority))

    def _state(self, operation: Operation, inputs: Properties, key: Any, certificate: str = "") -> Properties:
        """Return the state, with a certificate of the key; at preview, what follows from it is `UNKNOWN`.

        certificate: the one that there is already; empty to issue one.
        """
        outputs: Properties = {field.name: UNKNOWN for field in self.schema.outputs}
        if not operation.preview:
            key = tls.key_pem(tls.load_key(key))
            issuer = _issuer_of(inputs)
            certificate = certificate or tls.issue(self._request(inputs), key, issuer)
            issued = {
                "certificate": certificate,
                "chain": certificate + (issuer.chain if issuer else ""),
                "root_certificate": issuer.root_certificate if issuer else certificate,
                "not_after": tls.not_after(certificate),
                "public_key_hash": tls.public_key_hash(certificate),
            }
            outputs = {name: issued.get(name) for name in outputs}
        kept = {name: inputs.get(name) for name in (*self.reissued_for, "validity_days", "renew_before_days")}
        return {**kept, **outputs, "private_key": key, "issuer_certificate": _issuer_certificate(inputs)}


class Certificate(_Issued):
    """A certificate with a key of its own, which is new each time that it is issued."""

    schema = sdk.Certificate.schema()
    reissued_for = ("common_name", "organizations", "dns_names", "usages")

    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        return self._state(operation, inputs, UNKNOWN if operation.preview else tls.new_key())


class CertificateAuthority(_Issued):
    """A root, or an intermediate. It keeps its key for life unless the program gives another one.

    With its key it keeps its name: what it has signed names it, and is verified by who has that name.
    """

    schema = sdk.CertificateAuthority.schema()
    reissued_for = ("common_name", "organization", "path_length", "dns_names")

    async def check(self, operation: Operation, old: Properties, new: Properties) -> Checked:
        failures = _problems(new)
        has_name = isinstance(old.get("common_name"), str) and not failures
        keeps_it = has_name and _keeps_key(old.get("private_key"), new.get("private_key"))
        return Checked({name: old.get(name) for name in _NAME} if keeps_it else {}, failures)

    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        changes = await super().diff(operation, old, new)
        key = new.get("private_key")
        if key is UNKNOWN or (key is not None and not _same_key(key, old["private_key"])):
            return Changes(updates=[*changes.updates, "private_key"])
        return changes

    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        if not operation.preview and (found := await adopted(operation, inputs)):
            certificate, its_key = found
            return self._state(operation, inputs, its_key, certificate)
        key = UNKNOWN if operation.preview else inputs.get("private_key") or tls.new_key()
        return self._state(operation, inputs, key)

    async def update(self, operation: Operation, old: Properties, new: Properties) -> Properties:
        # The engine leaves out of an old state what is not known.
        return self._state(operation, new, new.get("private_key") or old.get("private_key", UNKNOWN))


async def _tell_of_its_end(operation: Operation, state: Properties) -> None:
    """Say it of what is not renewed, a year before: what has taken its place by then has been thought of."""
    end = datetime.fromisoformat(state["not_after"])
    now = datetime.now(UTC)
    if end - now < _FORETOLD:
        word = f"ends in {(end - now).days} days, on" if end > now else "ended on"
        await operation.warning(
            f"{state['common_name']} {word} {end:%Y-%m-%d}, and all that it has signed ends with it. `up` "
            "does not make it anew: hosts hold it, and would not get another one.\n"
            "  fix: have another one follow a cluster's authority by `crossmesh runbook run "
            "rotate-certificate-authority`; of any other, declare another region beside this one, and take "
            "this one out when that serves"
        )


def _problems(inputs: Properties) -> list[Failure]:
    wrong: list[Failure] = []
    name = inputs.get("common_name")
    if isinstance(name, str) and not 0 < len(name) <= tls.LONGEST_NAME:
        must = f"must have 1 to {tls.LONGEST_NAME} characters (X.509), not {len(name)}"
        wrong.append(("common_name", must))
    validity, renewal = inputs.get("validity_days"), inputs.get("renew_before_days")
    if isinstance(validity, int) and isinstance(renewal, int) and renewal >= validity:
        wrong.append(("renew_before_days", f"must be less than validity_days ({validity}), not {renewal}"))
    issuer = inputs.get("issuer")
    if isinstance(issuer, dict):
        missing = [key for key in ("certificate", "private_key") if issuer.get(key) is None]
        wrong += [(f"issuer.{key}", "is missing: PEM text") for key in missing]
    try:
        if isinstance(key := inputs.get("private_key"), str):
            tls.load_key(key)
    except OperationsError as exc:
        wrong.append(("private_key", str(exc)))
    return wrong


def _issuer_of(inputs: Properties) -> Issuer | None:
    """Return the issuer, whose values must be known; None for a self-signed root."""
    issuer = inputs.get("issuer")
    if issuer is None:
        return None
    is_root = issuer["certificate"] == issuer["root_certificate"]
    return Issuer(**{**issuer, "chain": "" if is_root else issuer["chain"]})


def _issuer_certificate(inputs: Properties) -> object:
    """Return what the state keeps of the issuer: its certificate, None for a root, or `UNKNOWN`."""
    issuer = inputs.get("issuer")
    return issuer["certificate"] if isinstance(issuer, dict) else issuer


def _keeps_key(old: Any, new: Any) -> bool:
    """Whether an authority's key, as the program gave it before and gives it now, may be the same."""
    return not (isinstance(old, str) and isinstance(new, str)) or _same_key(old, new)


def _same_key(one: str, other: str) -> bool:
    return tls.load_key(one).public_key() == tls.load_key(other).public_key()
