"""What `up` has issued, by the stack's state: authorities, certificates and tokens."""

from __future__ import annotations

from datetime import datetime

from live.certificates import parse_chain
from live.expiry.model import STATE, Entry, Kind, of_certificate
from live.state import Applied
from live.state import State as Applications
from playbooks.tokens import CERTIFICATE, CERTIFICATE_AUTHORITY, SERVICE_ACCOUNT_TOKEN

RENEW = "run `pulumi up`: it renews what comes to its end"
_DAY = 86400


def look(state: Applications) -> list[Entry]:
    """Everything that was issued, sorted by kind and name."""
    return [issued(resource) for resource in resources(state)]


def resources(state: Applications) -> list[Applied]:
    """The resources that stand for something that has an end."""
    types = (CERTIFICATE_AUTHORITY, CERTIFICATE, SERVICE_ACCOUNT_TOKEN)
    return [resource for type in types for resource in state.of_type(type)]


def issued(resource: Applied) -> Entry:
    """What one of them stands for."""
    region, name, renewed = resource.region, resource.name, _renewed_by(resource)
    if resource.type == SERVICE_ACCOUNT_TOKEN:
        try:
            end = datetime.fromisoformat(str(resource.outputs.get("expires_at")))
        except ValueError:
            why = "the state does not say when it ends"
            return Entry(region, STATE, name, kind=Kind.TOKEN, renewed_by=renewed, problem=why, fix=RENEW)
        account = "/".join(str(resource.inputs.get(key)) for key in ("namespace", "service_account"))
        return Entry(region, STATE, name, kind=Kind.TOKEN, subject=account, not_after=end, renewed_by=renewed)
    try:
        certificate = parse_chain(str(resource.outputs.get("certificate")))[0]
    except ValueError:
        why = "the state has no certificate of it"
        return Entry(region, STATE, name, renewed_by=renewed, problem=why, fix=RENEW)
    return of_certificate(region, STATE, name, certificate, renewed)


def _renewed_by(resource: Applied) -> str:
    """By whom, from how long before its end."""
    days = resource.inputs.get("renew_before_days")
    if resource.type == SERVICE_ACCOUNT_TOKEN:
        seconds = resource.inputs.get("renew_before_seconds")
        days = int(seconds) // _DAY if isinstance(seconds, int | float) else None
    elif days is None:
        return "nobody: hosts hold it, and a new one is a rotation of all that rests on it"
    return "`pulumi up`" if days is None else f"`pulumi up`, from {int(days)} days before its end"
