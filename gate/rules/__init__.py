"""All rules of the gate over one stack's change.

Families: `policy` (the project's own pack), `change` (what there was against what there will be), `schema`,
`istio`, `preflight` (hosts that were looked at), `waiver`, and `pack:NAME` (the users' packs).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from access.engine import Event
from gate.rules import change, istio, own_pack, preflight, schema, user_packs
from gate.rules.subject import Subject
from gate.rules.waivers import RULES as WAIVERS
from gate.rules.waivers import apply
from report.model import ChangeSet, Finding, Rule
from stacks.load import Stack


def examine(
    *,
    changes: ChangeSet,
    stack: Stack,
    before: Stack | None,
    events: Sequence[Event],
    today: date,
    waivers: Path,
) -> tuple[tuple[Rule, ...], tuple[Finding, ...]]:
    """Apply every rule; return the rules in order of their ids, and what they found.

    changes: with risks and approvals, which some rules ask for. before: the declaration that there is, None
    where nobody knows it. events: the engine's. waivers: the file of waivers, in a directory of the project's
    root. A rule that found nothing has one finding that says so.
    """
    subject = Subject(changes, stack, before, today)
    found: list[Finding] = own_pack.findings(subject)
    for check in change.CHECKS:
        found += check.findings(subject)
    found += schema.findings(subject)
    istio_rules, istio_findings = istio.examine(subject)
    host_rules, host_findings = preflight.examine(changes)
    pack_rules, pack_findings = user_packs.examine(events)
    found += [*istio_findings, *host_findings, *pack_findings]
    urns = {resource.urn for resource in (*changes.before, *changes.after)}
    everything = apply(found, waivers, stack=stack.name, urns=urns, today=today)
    rules = {rule.id: rule for rule in (*fixed_rules(), *istio_rules, *host_rules, *pack_rules)}
    return tuple(rules[id_] for id_ in sorted(rules)), everything


def fixed_rules() -> tuple[Rule, ...]:
    """The rules that are applied to every change, whatever is in it."""
    checks = tuple(check.rule for check in change.CHECKS)
    return (*own_pack.rules(), *checks, *schema.RULES, istio.RULE, *WAIVERS)
