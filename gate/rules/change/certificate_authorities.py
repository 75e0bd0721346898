"""A cluster's authorities are exchanged in stages, so that everybody trusts what he is shown at any
moment."""

from __future__ import annotations

from collections.abc import Iterator

from gate.rules.subject import Check, Subject, clusters_that_stay, failed
from report.model import Finding, Rule

RULE = Rule(
    "change/certificate-authorities",
    "Authorities of a cluster come and go in stages",
    "All of `certificateAuthorities` are trusted, and the first issues. Nodes are changed one after the "
    "other, and pods know the authorities by which they were started: one that issues before all trust it "
    "cuts them off, and so does one that goes while something shows what it has issued. So an authority "
    "comes as the second, then becomes the first, and the one before it goes last, each in a change of its "
    "own: `crossmesh runbook run rotate-certificate-authority`, which also starts pods anew. Hosts refuse "
    "it too.",
)


def _find(subject: Subject) -> Iterator[Finding]:
    for region, was, now in clusters_that_stay(subject):
        old, new = was.certificate_authorities, now.certificate_authorities
        where = ("regions", region, "cluster", "certificateAuthorities")
        if again := [number for number in new if number not in old and number < max(old)]:
            words = (
                f"authority {again[0]} would be made again: the stack has forgotten the one of that number"
            )
            fix = f"name {max(old) + 1} instead"
            yield failed(RULE, f"region '{region}': {words}", fix=fix, declared=where)
        elif new[0] not in old:
            words = f"would be issued by authority {new[0]}, which nobody trusts yet"
            fix = f"{list(old)} becomes {[old[0], new[0]]} first, and is brought about"
            yield failed(RULE, f"region '{region}': certificates {words}", fix=fix, declared=where)
        elif old[0] not in new:
            words = f"authority {old[0]} would be trusted no more, and all is issued by it"
            fix = f"{list(old)} becomes {[new[0], old[0]]} first, and is brought about"
            yield failed(RULE, f"region '{region}': {words}", fix=fix, declared=where)


CHECK = Check("trust", RULE, _find)
