"""A certificate for several exposed hosts lets clients ask for one of them over the connection of another."""

from __future__ import annotations

from collections.abc import Iterator

from components.tokens import EXPOSED_HOST
from gate.rules.subject import Check, Subject, failed
from playbooks.tokens import GIVEN_CERTIFICATE
from report.model import Finding, Rule, Severity
from stacks.pem import covers

RULE = Rule(
    "change/shared-connections",
    "A given certificate is for exposed hosts that browsers do not share a connection for",
    "Who speaks HTTP/2, as browsers do, asks for every host that a certificate is for over one connection, "
    "where they are at one address (RFC 9113, 9.1.1). Istio's gateway tells hosts apart by the name that the "
    "connection began with, and answers 404 for all others over it (istio/istio, issue 13589): pages load or "
    "not, by what was opened before. Programs that speak HTTP/1.1 or ask for one host never notice.",
    Severity.WARNING,
)


def _find(subject: Subject) -> Iterator[Finding]:
    hosts = {
        str(each.inputs.get("host")): each.inputs.get("certificate")
        for each in subject.after
        if each.type == EXPOSED_HOST
    }
    for resource in subject.after:
        if resource.type != GIVEN_CERTIFICATE:
            continue
        name, names = str(resource.inputs.get("certificate_name")), resource.inputs.get("dns_names")
        own = [host for host, certificate in hosts.items() if certificate == name]
        covered = sorted(
            host
            for host in hosts
            if isinstance(names, list | tuple) and any(covers(str(one), host) for one in names)
        )
        if own and len(covered) > 1:
            yield failed(
                RULE,
                f"certificate '{name}' is for {', '.join(covered)}: over a connection for "
                f"{', '.join(sorted(own))}, browsers may ask for the others and get 404",
                resource.urn,
                fix="give each host that browsers open a certificate for its own name alone",
                declared=("certificates", name),
            )


CHECK = Check("trust", RULE, _find)
