"""Hosts that change, as the preview found them: what would keep `up` from changing any is said before.

The provider looks at a host for the preview anyway, and says there what stands against it. That is read here,
so no host is asked again. The rules are applied where a host was looked at; why others were not, is told by
the layer of hosts.
"""

from __future__ import annotations

from dataclasses import replace

from gate.effects.scene import host_of, phase_of
from gate.rules.subject import passed
from playbooks.preflight import told
from playbooks.preflight.checks import RULES
from report.model import ChangeSet, Finding, Rule


def examine(changes: ChangeSet) -> tuple[tuple[Rule, ...], list[Finding]]:
    """The rules that were applied, and what they found."""
    phases = {change.urn: change.resource for change in changes.changes if phase_of(change.resource)}
    about = [(notice, phases[notice.urn]) for notice in changes.notices if notice.urn in phases]
    said = [(notice.urn, told.read(host_of(phase), notice.message)) for notice, phase in about]
    if all(findings is None for _, findings in said):
        return (), []
    found = [replace(finding, urn=urn) for urn, findings in said for finding in findings or ()]
    met = [passed(rule) for rule in RULES.values() if not any(each.rule == rule.id for each in found)]
    return tuple(RULES.values()), [*found, *met]
