"""The Markdown report: a comment on a merge request, never longer than a platform takes, the worst first."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from report.examination import Examination
from report.exit_codes import ExitCode, worst
from report.formats import facts
from report.formats.markdown_text import code, fenced, prose
from report.formats.mermaid import flowchart
from report.formats.text import MARKS, line_diff, many, value
from report.model import Change, Finding, Notice, Op, Place, PropertyChange, Risk, Row, Waiver
from report.urns import kind, short_name

CHARACTERS = 60_000
"""At most so many characters; GitHub takes 65,536."""
BYTES = 65_536
"""At most so many bytes of UTF-8, for platforms that count those."""

_ELSEWHERE = "see the other reports"
_IN_FULL = {Risk.DESTRUCTIVE: 60, Risk.TRAFFIC: 30, Risk.ORDINARY: 0}
"""So many changes are told one by one; the others by what they have in common."""
_GROUPS = 60
_FINDINGS = 60
_GROUP_NAMES = 12
_PROPERTIES = 10
_GROUP_PROPERTIES = 4
_WAIVED = 8

# A bare plus at the beginning of an item would begin a list within it.
_MARKS = MARKS | {Op.CREATE: "\\+"}
_ICONS = {ExitCode.CLEAN: "✅", ExitCode.UNEXPECTED_CHANGES: "⚠️", ExitCode.NOT_MEASURABLE: "⚠️"}


@dataclass(frozen=True)
class _Section:
    key: str
    heading: str
    """Empty for those that are folded."""
    one: str
    several: str
    """What one and several of its things are called."""

    def many(self, number: int) -> str:
        """`1 finding`, `5,000 findings`."""
        return f"{number:,} {self.one if number == 1 else self.several}"


_SUMMARY = "summary"
_SECTIONS = (
    _Section("destructive", facts.RISKS[Risk.DESTRUCTIVE], "destructive change", "destructive changes"),
    _Section(
        "traffic",
        facts.RISKS[Risk.TRAFFIC],
        "change that traffic may notice",
        "changes that traffic may notice",
    ),
    _Section("findings", "Findings", "finding", "findings"),
    _Section("layers", "Layers that change", "line of a layer", "lines of layers"),
    _Section(
        "unseen", "Not measurable", "thing that could not be measured", "things that could not be measured"
    ),
    _Section("waived", "", "waived finding", "waived findings"),
    _Section("ordinary", "", "ordinary change", "ordinary changes"),
    _Section("notices", "", "message of the engine", "messages of the engine"),
    _Section("picture", "", "picture", "pictures"),
)
"""Of a stack, in the order in which they stand."""


@dataclass(frozen=True)
class _Block:
    """A block that is shown whole or not at all; those of the lowest rank stay longest."""

    rank: int
    stack: int
    section: str
    text: str
    number: int = 1
    """How many things it tells of."""


def marker(verb: str = "gate") -> str:
    """The first line of a comment, which nobody sees: by it the comment is found again, to be updated."""
    return f"<!-- crossmesh-{verb} -->"


def render(examinations: Sequence[Examination]) -> str:
    """The comment over several stacks."""
    # Of one rank the first of each stack comes before the second of any.
    ranked = [
        (block.rank, place, block.stack, block)
        for stack, examination in enumerate(examinations)
        for place, block in enumerate(_blocks(stack, examination))
    ]
    blocks = [block for *_, block in sorted(ranked, key=lambda entry: entry[:3])]

    def too_long(number: int) -> bool:
        text = _assemble(examinations, blocks, number)
        return len(text) > CHARACTERS or len(text.encode()) > BYTES

    # The most that fits. Whatever is left out, what stands before it in rank is there.
    most = bisect(range(1, len(blocks) + 1), False, key=too_long)
    return _assemble(examinations, blocks, most)


def _blocks(stack: int, examination: Examination) -> Iterator[_Block]:
    yield _Block(0, stack, _SUMMARY, _summary_row(examination))
    for rank, risk in ((2, Risk.DESTRUCTIVE), (3, Risk.TRAFFIC), (7, Risk.ORDINARY)):
        alone, groups = facts.told_apart(facts.with_risk(examination, risk), _IN_FULL[risk], _GROUPS)
        for change in alone:
            yield _Block(rank, stack, risk.value, _change(examination, change))
        for group in groups:
            yield _Block(rank, stack, risk.value, _group(group), len(group.changes))
    told = facts.findings(examination)
    for finding in told[:_FINDINGS]:
        yield _Block(1 if finding.stops else 4, stack, "findings", _finding(finding))
    for rule, number in sorted(Counter(finding.rule for finding in told[_FINDINGS:]).items()):
        yield _Block(4, stack, "findings", f"- {many(number, 'more finding')} of {code(rule)}", number)
    for layer in facts.changed_layers(examination):
        rows = [row for row in layer.rows if row.changed]
        head = f"- **{prose(layer.title, 80)}**: {len(rows):,} of {len(layer.rows):,} change"
        yield _Block(5, stack, "layers", head, 0)
        for row in rows:
            yield _Block(5, stack, "layers", _row(row))
    for title, words in facts.not_measurable(examination):
        yield _Block(6, stack, "unseen", f"- **{prose(title, 80)}**: {prose(words)}")
    for name, waiver, alike in facts.waived(examination):
        yield _Block(7, stack, "waived", _waived(name, waiver, alike), len(alike))
    for notice in examination.changes.notices:
        yield _Block(8, stack, "notices", _notice(notice))
    drawn = flowchart(examination.topology)
    if drawn:
        yield _Block(9, stack, "picture", "\n".join(["```mermaid", *drawn, "```"]))


def _assemble(examinations: Sequence[Examination], blocks: Sequence[_Block], number_shown: int) -> str:
    """The whole comment with the first so many blocks."""
    kept: dict[tuple[int, str], list[str]] = {}
    total: Counter[tuple[int, str]] = Counter()
    missing: Counter[tuple[int, str]] = Counter()
    for place, block in enumerate(blocks):
        where = (block.stack, block.section)
        total[where] += block.number
        if place < number_shown:
            kept.setdefault(where, []).append(block.text)
        else:
            missing[where] += block.number
    rows = [row for number in range(len(examinations)) for row in kept.get((number, _SUMMARY), ())]
    lines = [*_head(examinations), *rows]
    unnamed: Counter[str] = Counter()
    for number, examination in enumerate(examinations):
        body: list[str] = []
        for section in _SECTIONS:
            where = (number, section.key)
            shown = kept.get(where, [])
            if shown:
                body += _section(section, shown, total[where], missing[where])
            else:
                unnamed[section.key] += missing[where]
        if body:
            lines += ["", f"### Stack {prose(examination.stack, 80)}", "", _introduction(examination), *body]
    lines += ["", *_foot(examinations, unnamed)]
    return "\n".join(lines) + "\n"


def _head(examinations: Sequence[Examination]) -> list[str]:
    code = worst([examination.verdict.code for examination in examinations])
    verb = examinations[0].verb if examinations else "gate"
    columns = facts.tally(examinations[0]) if examinations else {}
    return [
        marker(verb),
        f"## {_ICONS.get(code, '⛔')} crossmesh {verb}: {facts.code_words(code)}",
        "",
        f"| stack | verdict | {' | '.join(columns)} | why |",
        f"|---|---|{'---:|' * len(columns)}---|",
    ]


def _introduction(examination: Examination) -> str:
    words = facts.against(examination)
    if examination.sealed:
        words += f"; sealed as {code(examination.sealed[:16])}"
    return f"{words[:1].upper()}{words[1:]}."


def _section(section: _Section, shown: Sequence[str], total: int, missing: int) -> list[str]:
    if section.heading:
        lines = ["", f"#### {section.heading} ({total:,})", "", *shown]
    else:
        title = "Picture" if section.key == "picture" else section.many(total)
        lines = ["", f"<details><summary>{title}</summary>", "", *shown]
    if missing:
        lines.append(f"- … {missing:,} more {section.one if missing == 1 else section.several}: {_ELSEWHERE}")
    return lines if section.heading else [*lines, "", "</details>"]


def _foot(examinations: Sequence[Examination], unnamed: Counter[str]) -> list[str]:
    lines = []
    told = ", ".join(section.many(unnamed[section.key]) for section in _SECTIONS if unnamed[section.key])
    if told:
        lines += [f"**Not shown here: {told}**; {_ELSEWHERE}", ""]
    producers = sorted({facts.produced_by(examination.producer) for examination in examinations})
    lines += [f"<sub>{prose(words)}</sub>" for words in producers[:5]]
    return lines


def _summary_row(examination: Examination) -> str:
    verdict = examination.verdict
    cells = [
        f"**{prose(examination.stack, 80)}**",
        f"**{facts.code_words(verdict.code)}** ({int(verdict.code)})",
        *facts.tally(examination).values(),
        prose(verdict.words, 400),
    ]
    return f"| {' | '.join(cells)} |"


def _change(examination: Examination, change: Change) -> str:
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


def _property(entry: PropertyChange) -> str:
    head = f"  - {code(entry.path)}{' (replaces)' if entry.replaces else ''}:"
    lines = line_diff(entry.old, entry.new)
    if lines:
        return f"{head}\n\n{fenced(lines, 'diff', '    ')}\n"
    return f"{head} {code(value(entry.old))} → {code(value(entry.new))}"


def _group(group: facts.Group) -> str:
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


def _finding(finding: Finding) -> str:
    head = f"- **{facts.finding_words(finding)}** {code(finding.rule)}"
    head += f" {code(short_name(finding.urn))}" if finding.urn else ""
    head += f": {prose(finding.message)}" if finding.message else ""
    lines = [f"{head} ({_place(finding.place)})" if finding.place else head]
    lines += [f"  - {title}: {prose(words)}" for title, words in facts.particulars(finding)]
    if finding.fix:
        lines.append(f"  - fix: {prose(finding.fix)}")
    return "\n".join(lines)


def _row(row: Row) -> str:
    texts = " → ".join(code(text) for text in (row.before, row.after) if text is not None)
    return f"  - {_MARKS[facts.op_of(row)]} {code(row.key)}: {texts}"


def _waived(rule: str, waiver: Waiver | None, findings: Sequence[Finding]) -> str:
    text = f"- {code(rule)}, waived by {prose(facts.waiver_words(waiver))}"
    text += f" ({_place(waiver.place)})" if waiver is not None else ""
    shown = ", ".join(code(subject) for subject in facts.subjects(findings)[:_WAIVED])
    more = len(findings) - _WAIVED
    return f"{text}\n  - for {shown}" + (f" and {more:,} more" if more > 0 else "")


def _notice(notice: Notice) -> str:
    about = f" {code(short_name(notice.urn))}" if notice.urn else ""
    return f"- **{prose(notice.severity, 20)}**{about}: {prose(notice.message)}"


def _place(place: Place) -> str:
    return code(str(place), 160)
