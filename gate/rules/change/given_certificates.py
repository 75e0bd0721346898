"""Certificates that owners give last for a while yet: nobody renews them but their owners."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time

from gate.rules.subject import Check, Subject, failed, not_measurable
from playbooks.tokens import GIVEN_CERTIFICATE
from report.model import UNKNOWN, Finding, Rule, Severity
from stacks.certificates import renewal
from stacks.given import ends_soon

RULE = Rule(
    "change/given-certificates",
    "Given certificates do not end soon",
    "`up` renews what it issues, and cannot renew what it is given: with the certificate, or an authority of "
    "its chain, its hosts end. One that has ended, that is not of its key or not for its hosts is refused "
    "before anything is previewed.",
    Severity.WARNING,
)


def _find(subject: Subject) -> Iterator[Finding]:
    today = datetime.combine(subject.today, time(), UTC)
    for resource in subject.after:
        if resource.type != GIVEN_CERTIFICATE:
            continue
        name = str(resource.inputs.get("certificate_name"))
        start, end = (str(resource.inputs.get(key) or UNKNOWN) for key in ("not_before", "not_after"))
        if UNKNOWN in (start, end):
            yield not_measurable(RULE, f"certificate '{name}' is not known here", resource.urn)
            continue
        first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
        if today >= ends_soon(first, last):
            words = f"certificate '{name}' ends in {(last - today).days} days, on {last:%Y-%m-%d}"
            yield failed(RULE, words, resource.urn, fix=renewal(name), declared=("certificates", name))


CHECK = Check("trust", RULE, _find)
