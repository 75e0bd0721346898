"""The parts of the Markdown report, each a block of lines that is shown whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from report.examination import Examination
from report.formats import facts
from report.formats.markdown_text import code, fenced, prose
from report.formats.text import MARKS, line_diff, many, value
from report.model import Change, Finding, Layer, Notice, Op, Place, PropertyChange, Row, Waiver
from report.urns import kind, short_name

# A bare plus at the beginning of an item would begin a list within it.
_MARKS = MARKS | {Op.CREATE: "\\+"}
_PROPERTIES = 10
_GROUP_NAMES = 12
_WAIVED = 8
_GROUP_PROPERTIES = 4


def summary_row(examination: Examination) -> str:
    """A stack's row of the table at the top."""
    verdict = examination.verdict
    cells = [
        f"**{prose(examination.stack, 80)}**",
        f"**{facts.code_words(verdict.code)}** ({int(verdict.code)})",
        *facts.tally(examination).values(),
        prose(verdict.words, 400),
    ]
    return f"| {' | '.join(cells)} |"


def change(examination: Examination, change: Change) -> str:
    """A destructive or traffic-affecting change, with everything that a reviewer wants to know of it."""
    resource = change.resource
    head = f"- **{_MARKS[change.op]} {change.op}** {code(kind(resource))} {code(resource.name)}"
    head += f": {prose(change.why)}" if change.why else ""
    remarks = facts.remarks(examination, change)
    lines = [f"{head} **({', '.join(remarks)})**" if remarks else head]
    reached = facts.reach(change.blast)
    if reached:
        lines.append(f"  - reaches {prose(', '.join(reached))}")
    reasons = facts.reasons(change)
    if reasons:
        lines.append(f"  - replaced because of {', '.join(code(path) for path in reasons[:_PROPERTIES])}")
    properties = facts.replacing_first(change.properties)
    lines += [_property(entry) for entry in properties[:_PROPERTIES]]
    if len(properties) > _PROPERTIES:
        lines.append(f"  - … {len(properties) - _PROPERTIES:,} more properties")
    places = facts.places(change)
    if places:
        lines.append(f"  - at {', '.join(_place(place) for place in places)}")
    return "\n".join(lines)


def group(group: facts.Group) -> str:
    """Changes that are alike."""
    shown = ", ".join(code(name, 80) for name in group.names[:_GROUP_NAMES])
    more = len(group.changes) - _GROUP_NAMES
    several = f" {len(group.changes):,} ×" if len(group.changes) > 1 else ""
    text = f"- {_MARKS[group.op]} {group.op}{several} {code(group.kind)} {shown}"
    text += f" and {more:,} more" if more > 0 else ""
    text += f": {prose(group.why)}" if group.why else ""
    text += " **(would happen without this change as well)**" if group.pending else ""
    values = [
        f"{code(path, 120)}: {code(old, 80)} → {code(new, 80)}"
        if group.alike
        else f"{code(path, 120)} differently"
        for path, old, new in group.values
    ]
    if values:
        text += "\n  - " + "; ".join(values[:_GROUP_PROPERTIES])
        text += f" and {len(values) - _GROUP_PROPERTIES:,} more" if len(values) > _GROUP_PROPERTIES else ""
    return text


def finding(finding: Finding) -> str:
    """What a rule said, with its fix."""
    head = f"- **{facts.finding_words(finding)}** {code(finding.rule)}"
    head += f" {code(short_name(finding.urn))}" if finding.urn else ""
    head += f": {prose(finding.message)}" if finding.message else ""
    lines = [f"{head} ({_place(finding.place)})" if finding.place else head]
    lines += [f"  - {title}: {prose(words)}" for title, words in facts.particulars(finding)]
    if finding.fix:
        lines.append(f"  - fix: {prose(finding.fix)}")
    return "\n".join(lines)


def waived(rule: str, waiver: Waiver | None, findings: Sequence[Finding]) -> str:
    """What one waiver lets pass."""
    text = f"- {code(rule)}, waived by {prose(facts.waiver_words(waiver))}"
    text += f" ({_place(waiver.place)})" if waiver is not None else ""
    shown = ", ".join(
        code(short_name(finding.urn) if finding.urn else finding.message) for finding in findings[:_WAIVED]
    )
    more = len(findings) - _WAIVED
    return f"{text}\n  - for {shown}" + (f" and {more:,} more" if more > 0 else "")


def findings_of(rule: str, number: int) -> str:
    """Findings of one rule of which there are too many to be told."""
    return f"- {many(number, 'more finding')} of {code(rule)}"


def layer_head(layer: Layer) -> str:
    """The line over a layer's rows."""
    changed = sum(row.changed for row in layer.rows)
    return f"- **{prose(layer.title, 80)}**: {changed:,} of {len(layer.rows):,} change"


def layer_row(row: Row) -> str:
    """A row of a layer that changes."""
    if row.before is None:
        return f"  - {_MARKS[Op.CREATE]} {code(row.key)}: {code(row.after or '')}"
    if row.after is None:
        return f"  - {_MARKS[Op.DELETE]} {code(row.key)}: {code(row.before)}"
    return f"  - {_MARKS[Op.UPDATE]} {code(row.key)}: {code(row.before)} → {code(row.after)}"


def unseen(title: str, words: str) -> str:
    """Something that could not be looked at."""
    return f"- **{prose(title, 80)}**: {prose(words)}"


def notice(notice: Notice) -> str:
    """Something that the engine or a provider said."""
    about = f" {code(short_name(notice.urn))}" if notice.urn else ""
    return f"- **{prose(notice.severity, 20)}**{about}: {prose(notice.message)}"


def _property(entry: PropertyChange) -> str:
    head = f"  - {code(entry.path)}{' (replaces)' if entry.replaces else ''}:"
    lines = line_diff(entry.old, entry.new)
    if lines:
        return f"{head}\n\n{fenced(lines, 'diff', '    ')}\n"
    return f"{head} {code(value(entry.old))} → {code(value(entry.new))}"


def _place(place: Place) -> str:
    return code(str(place), 160)
