"""What a preview says of a host's preflight: words for people, of which the gate makes findings again."""

from __future__ import annotations

import re
from collections.abc import Sequence

from playbooks.preflight.checks import RULES, name_of, refusals
from report.model import Finding, Severity, Status

_HEAD = re.compile(r"^\S+ \S+: its preflight (?:refuses|warns|finds nothing)")
_ENTRY = re.compile(r"^  - (\S+) (refuses|warns): (.*)(?:\n    fix: (.*))?$", re.MULTILINE)


def words(host: str, phase: str, findings: Sequence[Finding]) -> str:
    """What stands against a host; on the first line in short."""
    against = [finding for finding in findings if finding.status is Status.FAIL]
    if not against:
        return f"{host} {phase}: its preflight finds nothing against it"
    refused = refusals(against)
    names = ", ".join(dict.fromkeys(name_of(finding) for finding in refused or against))
    lines = [f"{host} {phase}: its preflight {'refuses' if refused else 'warns'}: {names}"]
    for finding in against:
        how = "refuses" if finding.stops else "warns"
        lines.append(f"  - {name_of(finding)} {how}: {_flat(finding.message.removeprefix(f'{host}: '))}")
        lines += [f"    fix: {_flat(finding.fix)}"] if finding.fix else []
    return "\n".join(lines)


def read(host: str, message: str) -> list[Finding] | None:
    """The findings that a message of `words` tells, of host; None for any other message."""
    if not _HEAD.match(message):
        return None
    return [
        Finding(
            RULES[name].id,
            Status.FAIL,
            f"{host}: {said}",
            Severity.ERROR if how == "refuses" else Severity.WARNING,
            fix=fix,
        )
        for name, how, said, fix in _ENTRY.findall(message)
    ]


def _flat(text: str) -> str:
    return " ".join(text.split())
