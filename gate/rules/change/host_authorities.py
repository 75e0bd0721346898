"""What clients of a host trust is exchanged in stages, so that everybody trusts what he is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from components.tokens import EXPOSED_HOST
from gate.rules.subject import Check, Subject, failed
from playbooks.tokens import GIVEN_CERTIFICATE
from report.model import UNKNOWN, Change, Finding, Op, Resource, Rule, Severity
from stacks.given import SYSTEM

RULE = Rule(
    "change/host-authorities",
    "Who asks for a host goes on trusting what he is shown",
    "While a change is brought about, some gateways show the certificate from before and some the new one, "
    "and name servers verify by the authorities from before or by the new ones: of a host that they refuse "
    "in all regions they answer all gateways, of one that they refuse in some they lead clients away from "
    "there. So another authority first stands beside the one from before in the file of `ca`, then the "
    "certificate is exchanged, and the authority from before goes last, each in a change of its own. Clients "
    "are to be told between the first and the second.",
)
_OWN = "the gateways' own authority"


def _find(subject: Subject) -> Iterator[Finding]:
    for change in subject.changes.changes:
        if change.op is Op.UPDATE and change.old is not None and change.new is not None:
            if change.new.type == GIVEN_CERTIFICATE:
                yield from _of_certificate(change, change.old, change.new)
            elif change.new.type == EXPOSED_HOST:
                yield from _of_host(change, change.old, change.new)


def _of_certificate(change: Change, old: Resource, new: Resource) -> Iterator[Finding]:
    """A certificate of another authority, where neither trusts the other's."""
    before, after = _authorities(old), _authorities(new)
    if UNKNOWN in (*before, *after) or not before or not after:
        return
    name = str(new.inputs.get("certificate_name"))
    refused = {
        "the new one is not trusted by who has the authorities from before": (new, before),
        "the one from before is not trusted by who has the new authorities": (old, after),
    }
    for words, (shown, trusted) in refused.items():
        if shown.inputs.get("anchor") not in trusted:
            by_system = SYSTEM in (*before, *after)
            fix = f"put both into the file of `certificates.{name}.given.ca`, and bring that about first"
            yield failed(
                RULE,
                f"certificate '{name}': {words} ({', '.join(trusted)})",
                change.urn,
                fix="expect name servers to verify anew within the minute" if by_system else fix,
                severity=Severity.WARNING if by_system else None,
                declared=("certificates", name),
            )
            return


def _of_host(change: Change, old: Resource, new: Resource) -> Iterator[Finding]:
    """A host that gets another certificate, by another name."""
    before, after = (each.inputs.get("certificate") for each in (old, new))
    if before != after:
        words = f"certificate '{before}'" if before else _OWN
        now = f"certificate '{after}'" if after else _OWN
        yield failed(
            RULE,
            f"{new.inputs.get('host')} comes from {words} to {now}: clients are to trust another authority",
            change.urn,
            fix="tell its clients before; name servers verify anew within the minute, and until then lead to "
            "gateways by other hosts that these serve",
            severity=Severity.WARNING,
        )


def _authorities(resource: Resource) -> tuple[str, ...]:
    found: Any = resource.inputs.get("authorities")
    return tuple(map(str, found)) if isinstance(found, list | tuple) else (UNKNOWN,)


CHECK = Check("trust", RULE, _find)
