"""What authorities and certificates share: who issues them, and when they are issued again."""

from __future__ import annotations

from playbooks.provider import tls
from playbooks.provider.resources.base import Changes, differing
from playbooks.provider.schema import Failure
from playbooks.provider.tls import Issuer, Request
from playbooks.provider.values import UNKNOWN, Properties, has_unknown

COMMON_NAME_LENGTH = 64


def issuer_of(inputs: Properties) -> Issuer | None:
    """Return the issuer that `inputs` name; None for a self-signed root. Its values must be known."""
    issuer = inputs.get("issuer")
    if issuer is None:
        return None
    return Issuer.of(
        issuer["certificate"], issuer["private_key"], issuer.get("chain"), issuer.get("root_certificate")
    )


def problems(inputs: Properties) -> list[Failure]:
    """Return what is wrong with names, validity and issuer."""
    wrong: list[Failure] = []
    name = inputs.get("common_name")
    if isinstance(name, str) and not 0 < len(name) <= COMMON_NAME_LENGTH:
        wrong.append(
            ("common_name", f"must have 1 to {COMMON_NAME_LENGTH} characters (X.509), not {len(name)}")
        )
    validity, renewal = inputs.get("validity_days"), inputs.get("renew_before_days")
    if isinstance(validity, int) and isinstance(renewal, int) and renewal >= validity:
        wrong.append(("renew_before_days", f"must be less than validity_days ({validity}), not {renewal}"))
    issuer = inputs.get("issuer")
    if isinstance(issuer, dict):
        missing = [key for key in ("certificate", "private_key") if issuer.get(key) is None]
        wrong += [(f"issuer.{key}", "is missing: PEM text") for key in missing]
    return wrong


def issuer_certificate(inputs: Properties) -> object:
    """Return what the state keeps of the issuer: its certificate, None for a root, `UNKNOWN` when it is not
    known."""
    issuer = inputs.get("issuer")
    if issuer is None or issuer is UNKNOWN:
        return issuer
    return issuer["certificate"]


def changes(names: tuple[str, ...], old: Properties, new: Properties, request: Request | None) -> Changes:
    """Return why the certificate must be issued again: an input, the issuer, or its coming end."""
    updates = differing(names, old, new)
    issuer = issuer_certificate(new)
    if issuer is UNKNOWN or issuer != old.get("issuer_certificate"):
        updates.append("issuer")
    if not updates and request is not None and not has_unknown(new):
        issuer_known = issuer_of(new)
        if tls.renewal_due(old["not_after"], request, new["renew_before_days"], issuer_known):
            updates.append("not_after")
    return Changes(updates=updates)
