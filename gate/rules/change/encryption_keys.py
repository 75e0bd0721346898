"""Keys of Secrets are changed in stages, so that every API server can read every Secret at any moment."""

from __future__ import annotations

from collections.abc import Iterator

from gate.rules.subject import Check, Subject, clusters_that_stay, failed
from report.model import Finding, Rule

RULE = Rule(
    "change/encryption-keys",
    "Keys of Secrets come and go in stages",
    "Secrets are written by the first of `encryptionKeys` and read by all. Control planes are changed one "
    "after the other: one that writes by a key which the next has not got yet writes what that cannot "
    "read, and what was written by a key that is taken out is lost. So a key comes as the second, then "
    "becomes the first, and the one before it goes last, each in a change of its own: `crossmesh runbook "
    "run rotate-encryption-key`. Hosts refuse it too.",
)


def _find(subject: Subject) -> Iterator[Finding]:
    for region, was, now in clusters_that_stay(subject):
        old, new = was.encryption_keys, now.encryption_keys
        where = ("regions", region, "cluster", "encryptionKeys")
        if new[0] not in old and len(now.control_planes) > 1:
            yield failed(
                RULE,
                f"region '{region}': Secrets would be written by key {new[0]}, which no control plane has "
                "yet: until their turns, the others could not read them",
                fix=f"{list(old)} becomes {[*old, new[0]]} first, and is brought about",
                declared=where,
            )
        if old[0] not in new:
            yield failed(
                RULE,
                f"region '{region}': key {old[0]} would be taken out, and Secrets are written by it",
                fix=_way(old, new),
                declared=where,
            )


def _way(old: tuple[int, ...], new: tuple[int, ...]) -> str:
    """The stages from one order to another, in words."""
    first, rest = new[0], [number for number in old if number != new[0]]
    if first in old:
        return f"{list(old)} becomes {[first, *rest]} first, and is brought about"
    return f"{list(old)} becomes {[*old, first]} first, then {[first, *rest]}, and {list(new)} last"


CHECK = Check("clusters", RULE, _find)
