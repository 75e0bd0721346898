"""What the users' policy packs said, which the engine runs: from its policy events.

There is one for each violation, and one summary for each resource and pack that says which policies ran.
Without a violation a policy passed, but for two cases that the engine does not tell apart from that. Where a
value is not known before `up`, the SDKs report a violation of their own, as advisory, whatever the policy's
level is. And policies over a whole stack are given outputs, which objects of clusters that do not exist yet
do not have: such a policy looks at nothing and finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from access.engine import Event
from gate.changes import FAILURE, errors, standard_error
from policies.pack import NAME as OWN
from report.model import Finding, Rule, Severity, Status

_FAILED = "preview failed"
"""All that the engine says of its own when a policy failed it."""
_LEVELS = {"advisory": Severity.WARNING, "warning": Severity.WARNING}
_STACK_SUMMARY = "policyAnalyzeStackSummaryEvent"
_SUMMARIES = ("policyAnalyzeSummaryEvent", "policyRemediateSummaryEvent", _STACK_SUMMARY)
_UNKNOWN = re.compile(r"can't run (?:policy|remediation) '[^']*' from policy pack '[^']*' during preview: ")


@dataclass
class _Policy:
    """What is known of one policy of a pack."""

    severity: Severity = Severity.NOTE
    title: str = ""
    findings: list[Finding] = field(default_factory=list)


def examine(events: Sequence[Event]) -> tuple[tuple[Rule, ...], tuple[Finding, ...]]:
    """The packs' policies as rules, and what they found. The project's own pack is left out."""
    policies: dict[tuple[str, str], _Policy] = {}

    def policy(event: Event, name: str) -> _Policy | None:
        pack = str(event["policyPackName"])
        return None if pack == OWN else policies.setdefault((pack, name), _Policy())

    unseen = _without_outputs(events)
    for event in events:
        for kind, take in (("policyEvent", _violated), ("policyRemediationEvent", _remedied)):
            said = event.get(kind)
            if said and (known := policy(said, said["policyName"])):
                take(known, said)
        for kind in _SUMMARIES:
            summary = event.get(kind) or {}
            for name in (*(summary.get("passed") or ()), *(summary.get("failed") or ())):
                known = policy(summary, name)
                if known and unseen and kind == _STACK_SUMMARY:
                    known.findings.append(Finding("", Status.NOT_MEASURABLE, unseen))
    rules, findings = [], []
    for (pack, name), found in sorted(policies.items()):
        id_ = f"pack:{pack}/{name}"
        severity = Severity.ERROR if found.severity is Severity.NOTE else found.severity
        rules.append(Rule(id_, found.title or name, f"A policy of the pack {pack}.", severity))
        results = found.findings or [Finding("", Status.PASS, "", severity)]
        findings += [replace(each, rule=id_) for each in results]
    return tuple(rules), tuple(findings)


def failed_by_packs(events: Sequence[Event]) -> bool:
    """Whether a preview failed for nothing but mandatory violations: what it says of the change holds.

    What a program writes to standard error besides is no failure. The engine ends it when a policy fails,
    which may leave a traceback there.
    """
    levels = {(event.get("policyEvent") or {}).get("enforcementLevel") for event in events}
    failed = any(standard_error(event).startswith(FAILURE) for event in events)
    return "mandatory" in levels and not failed and all(words == _FAILED for words in errors(events))


def _without_outputs(events: Sequence[Event]) -> str:
    """Why policies over a whole stack cannot have seen all of it; empty if they can."""
    number = 0
    for event in events:
        metadata = (event.get("resourcePreEvent") or {}).get("metadata") or {}
        new = metadata.get("new") or {}
        of_cluster = str(metadata.get("type")).startswith("kubernetes:") and new.get("custom")
        number += bool(of_cluster and not new.get("outputs"))
    shown = "the engine shows policies over a whole stack outputs, which do not exist yet of"
    return f"{shown} {number} Kubernetes objects" if number else ""


def _violated(policy: _Policy, event: Mapping[str, str]) -> None:
    severity = _LEVELS.get(event.get("enforcementLevel", ""), Severity.ERROR)
    message = event["message"].strip()
    urn = event.get("resourceUrn", "")
    if _UNKNOWN.search(message):
        # Which of several values was asked for first differs from run to run, so it is not told.
        why = "a value that the policy asks for is not known before `up`"
        policy.findings.append(Finding("", Status.NOT_MEASURABLE, why, severity, urn))
        return
    # The SDKs put a policy's description before what it says of the resource.
    title, _, rest = message.partition("\n")
    policy.title = policy.title or title.strip()
    if policy.severity is not Severity.ERROR:
        policy.severity = severity
    policy.findings.append(Finding("", Status.FAIL, rest.strip() or title.strip(), severity, urn))


def _remedied(policy: _Policy, event: Mapping[str, str]) -> None:
    """A policy that changes resources itself: what is applied differs from what the program says."""
    words = "the pack changes this resource's inputs; what is previewed has its changes already"
    urn = event.get("resourceUrn", "")
    policy.findings.append(Finding("", Status.FAIL, words, Severity.NOTE, urn))
