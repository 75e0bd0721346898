"""What `up` has issued, by the stack's state: authorities, certificates and tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from live.certificates import parse_chain
from live.expiry.model import STATE, Entry, Kind, of_certificate, of_pem
from live.state import Applied, opened
from live.state import State as Applications
from playbooks.tokens import CERTIFICATE, CERTIFICATE_AUTHORITY, GIVEN_CERTIFICATE, SERVICE_ACCOUNT_TOKEN
from stacks import positions
from stacks.certificates import renewal
from stacks.errors import ENVIRONMENT, render_file
from stacks.load import Stack

RENEW = "run `pulumi up`: it renews what comes to its end"
_DAY = 86400


def look(state: Applications, stack: Stack) -> list[Entry]:
    """Everything that was issued, sorted by kind and name, and then what was given."""
    return [*(issued(resource) for resource in resources(state)), *_given(state, stack)]


def _given(state: Applications, stack: Stack) -> Iterator[Entry]:
    """Certificates that their owners gave, with the authorities of their chains, and the line that gives
    them.
    """
    given = state.of_type(GIVEN_CERTIFICATE)
    document = positions.read(stack.path) if given else None
    for resource in given:
        name = str(resource.inputs.get("certificate_name"))
        path = (*ENVIRONMENT, "certificates", name)
        if document is None or document.get(path) is None:
            owner = "nobody: the declaration has it no more"
        else:
            owner = f"its owner, by {render_file(stack.path)}:{document.line(path)}"
        chain = str(opened(resource.outputs.get("chain")))
        for entry in of_pem(resource.region, STATE, resource.name, chain, owner, fix=RENEW):
            yield entry if entry.problem else replace(entry, fix=renewal(name))


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
