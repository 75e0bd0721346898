"""What people's reports say of changes and findings, whatever they look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from report.examination import Examination, Producer
from report.exit_codes import ExitCode
from report.formats.text import names, percent, value
from report.model import (
    Against,
    Blast,
    Change,
    Finding,
    Layer,
    Op,
    Place,
    PropertyChange,
    Risk,
    Row,
    Status,
    Waiver,
)
from report.urns import kind, short_name

RISKS = {
    Risk.DESTRUCTIVE: "Destructive changes",
    Risk.TRAFFIC: "Changes that traffic may notice",
    Risk.ORDINARY: "Ordinary changes",
}
"""Headings of the parts that list changes, in their order."""

_AGAINST = {
    Against.STATE: "compared with the stack's state",
    Against.BASE: "compared with the declaration of the base",
    Against.NOTHING: "compared with nothing: all is created",
    Against.LIVE: "measured on what is live",
    Against.TWIN: "made on a twin in the lab",
}
_MEASURED = (Against.LIVE, Against.TWIN)
"""Of these, findings are counted."""
_CODES = {
    ExitCode.TOOL_ERROR: "the command itself failed",
    ExitCode.USAGE: "not valid",
    ExitCode.AUTHENTICATION: "a credential is missing or refused",
    ExitCode.POLICY: "refused by rules",
    ExitCode.TIMEOUT: "out of time",
}
"""Exit codes whose name says too little to somebody who does not know it."""
_GROUP_ORDER = (Op.DELETE, Op.REPLACE, Op.UPDATE, Op.CREATE)


@dataclass(frozen=True)
class Group:
    """Changes told as one: one operation on one kind, for one reason, of the same properties."""

    op: Op
    kind: str
    why: str
    pending: bool
    values: tuple[tuple[str, str, str], ...]
    """Of what changes: path, old and new value."""
    alike: bool
    """Whether all have these values; otherwise only the paths are theirs, and the values nobody's."""
    changes: tuple[Change, ...]

    @property
    def names(self) -> list[str]:
        """Names of the resources, in order."""
        return [change.resource.name for change in self.changes]


def told_apart(changes: Sequence[Change], in_full: int, most: int) -> tuple[Sequence[Change], list[Group]]:
    """Of changes of one risk: so many that are told one by one, and the others in at most about `most`
    groups. Of ordinary ones there are only groups if there are more than `in_full`.
    """
    if len(changes) <= in_full:
        return changes, []
    alone = () if changes[0].risk is Risk.ORDINARY else changes[:in_full]
    groups = _grouped(changes[len(alone) :], alike=True)
    # Where that is too much, those that change the same properties to different values are alike as well.
    return alone, groups if len(groups) <= most else _grouped(changes[len(alone) :], alike=False)


def _grouped(changes: Sequence[Change], alike: bool) -> list[Group]:
    """Changes that are alike, together; the larger groups first within an operation."""
    by_key: dict[tuple[Op, str, str, bool, tuple[tuple[str, str, str], ...]], list[Change]] = {}
    for change in changes:
        values = tuple(
            (entry.path, value(entry.old), value(entry.new)) if alike else (entry.path, "", "")
            for entry in change.properties
        )
        key = (change.op, kind(change.resource), change.why, change.pending, values)
        by_key.setdefault(key, []).append(change)
    grouped = [Group(*key, alike, tuple(members)) for key, members in by_key.items()]
    return sorted(
        grouped,
        key=lambda group: (_GROUP_ORDER.index(group.op), -len(group.changes), group.kind, group.names),
    )


def with_risk(examination: Examination, risk: Risk) -> list[Change]:
    """Changes of one risk, in their order; those that are approved or not this change's doing come last."""
    changes = [change for change in examination.changes.changes if change.risk is risk]
    return sorted(changes, key=lambda change: change.approved or change.pending)


def needs_approval(examination: Examination, change: Change) -> bool:
    """Whether a change stands against the verdict until it is approved. Only a gate asks for that."""
    free = change.approved or change.pending or examination.verb != "gate"
    return change.risk is Risk.DESTRUCTIVE and not free


def remarks(examination: Examination, change: Change) -> list[str]:
    """What is to be known of a change besides what it does."""
    holding = {
        "not approved": needs_approval(examination, change),
        "approved": change.approved,
        "would happen without this change as well": change.pending,
        "protected": change.resource.protect,
    }
    return [words for words, holds in holding.items() if holds]


def reach(blast: Blast) -> list[str]:
    """What a change reaches, in phrases: `cluster eu`, `nodes a, b`, `50 % of the traffic`."""
    phrases = [
        f"{noun}{'' if len(reached) == 1 else 's'} {names(reached)}"
        for noun, reached in (("cluster", blast.clusters), ("node", blast.nodes), ("host", blast.hosts))
        if reached
    ]
    if blast.traffic is None:
        phrases.append("an unknown share of the traffic")
    elif blast.traffic:
        phrases.append(f"{percent(blast.traffic)} of the traffic")
    return phrases


def places(change: Change) -> list[Place]:
    """Where a change comes from: the line of the stack file, then that of the program."""
    return [place for place in (change.declared, change.program) if place is not None]


def reasons(change: Change) -> list[str]:
    """Paths because of which a resource is replaced that are no changed property of it themselves."""
    told = {entry.path for entry in change.properties if entry.replaces}
    return [path for path in change.replace_reasons if path not in told]


def replacing_first(properties: Sequence[PropertyChange]) -> list[PropertyChange]:
    """Changed properties, those that make it a replacement first."""
    return sorted(properties, key=lambda entry: not entry.replaces)


def findings(examination: Examination) -> list[Finding]:
    """What rules said that a person should read: what failed or could not be measured, the worst first."""
    unmet = (Status.FAIL, Status.NOT_MEASURABLE)
    return sorted([finding for finding in examination.findings if finding.status in unmet], key=Finding.order)


def waived(examination: Examination) -> list[tuple[str, Waiver | None, list[Finding]]]:
    """What is waived: the rule, by which waiver, and for which findings."""
    by_waiver: dict[tuple[str, Waiver | None], list[Finding]] = {}
    for finding in examination.findings:
        if finding.status is Status.WAIVED:
            by_waiver.setdefault((finding.rule, finding.waiver), []).append(finding)
    entries = [(rule, waiver, alike) for (rule, waiver), alike in by_waiver.items()]
    return sorted(entries, key=lambda entry: (entry[0], waiver_words(entry[1])))


def subjects(findings: Sequence[Finding]) -> list[str]:
    """What findings are about: the resource, or of others what is said."""
    return [short_name(finding.urn) or finding.message for finding in findings]


def waiver_words(waiver: Waiver | None) -> str:
    """`network team until 2026-12-31: they set routes`."""
    if waiver is None:
        return "a waiver that is not known"
    return f"{waiver.owner} until {waiver.expires.isoformat()}: {waiver.reason}"


def particulars(finding: Finding) -> list[tuple[str, str]]:
    """What else is known of a finding, each with its title: what was measured, and what declared it."""
    declared = [".".join(finding.declared)] if finding.declared else []
    region = [f"region {finding.region}"] if finding.region else []
    pairs = (
        ("measured", finding.measured),
        ("expected", finding.expected),
        ("declared by", ", ".join([*declared, *region])),
        ("follows from", ", ".join(finding.follows_from)),
        ("runbook", f"crossmesh runbook run {finding.runbook}" if finding.runbook else ""),
    )
    return [(title, words) for title, words in pairs if words]


def finding_words(finding: Finding) -> str:
    """How a rule ended, in a word or two."""
    return finding.severity.value if finding.status is Status.FAIL else finding.status.value.replace("-", " ")


def changed_layers(examination: Examination) -> list[Layer]:
    """Layers in which something changes."""
    return [layer for layer in examination.layers if any(row.changed for row in layer.rows)]


def op_of(row: Row) -> Op:
    """What happens to what a row that changes is about."""
    return Op.CREATE if row.before is None else Op.DELETE if row.after is None else Op.UPDATE


def not_measurable(examination: Examination) -> list[tuple[str, str]]:
    """What could not be looked at: the layer's title, and what and why."""
    return [(layer.title, words) for layer in examination.layers for words in layer.not_measurable]


def was_compared(examination: Examination) -> bool:
    """Whether anything is known of what changes; not where the gate or the engine failed before that."""
    changes = examination.changes
    compared = changes.changes or changes.same or changes.against in _MEASURED
    return bool(compared) or examination.verdict.code is ExitCode.CLEAN


def tally(examination: Examination) -> dict[str, str]:
    """How many resources have each operation, `?` where unknown; of what is live, findings by status."""
    if examination.changes.against in _MEASURED:
        statuses = Counter(finding.status for finding in examination.findings)
        return {status.value: f"{statuses[status]:,}" for status in Status if status is not Status.WAIVED}
    counted, compared = examination.changes.counts(), was_compared(examination)
    return {op.value: f"{number:,}" if compared else "?" for op, number in counted.items()}


def counts(examination: Examination) -> str:
    """`2 to create; 480 stay`; of what has happened, `2 created; …`; of what was measured, `40 pass`."""
    if examination.changes.against in _MEASURED:
        ended = [f"{number} {status}" for status, number in tally(examination).items() if number != "0"]
        return ", ".join(ended).replace("-", " ") or "nothing was looked at"
    if not was_compared(examination):
        return "what changes is not known"
    counted = examination.changes.counts()
    told = "{:,} to {}" if examination.verb == "gate" else "{:,} {}d"
    changing = [told.format(number, op) for op, number in counted.items() if number and op != Op.SAME]
    return f"{', '.join(changing) or 'nothing changes'}; {counted[Op.SAME]:,} stay"


def against(examination: Examination) -> str:
    """What the declaration was compared with, in words."""
    if not was_compared(examination):
        return "compared with nothing"
    return _AGAINST[examination.changes.against]


def code_words(code: ExitCode) -> str:
    """An exit code in words: `needs approval`."""
    return _CODES.get(code, code.id.replace("-", " "))


def produced_by(producer: Producer) -> str:
    """`crossmesh 1.0.0, pulumi 3.2.1, commit 0123… (files differ), base 4567…`."""
    parts = [f"crossmesh {producer.crossmesh}", f"pulumi {producer.pulumi}"]
    if producer.commit:
        parts.append(f"commit {producer.commit[:12]}{' with changes of its files' if producer.dirty else ''}")
    if producer.base:
        parts.append(f"base {producer.base[:12]}")
    return ", ".join(parts)
