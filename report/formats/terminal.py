"""The report for a terminal and for the log of a pipeline: the worst first, the verdict last."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from report.examination import Examination
from report.exit_codes import WORST_FIRST, ExitCode
from report.formats import facts
from report.formats.text import MARKS, clip, line_diff, names, one_line, value, visible
from report.model import Change, Finding, Notice, Op, Risk, Row, Status, Waiver
from report.urns import kind, short_name

WIDTH = 200
"""Columns where there is no terminal: logs wrap by themselves, but nothing is cut short."""

_COLOURS = {Op.CREATE: "green", Op.UPDATE: "yellow", Op.REPLACE: "magenta", Op.DELETE: "red", Op.SAME: "dim"}
_IN_FULL = {Risk.DESTRUCTIVE: 40, Risk.TRAFFIC: 20, Risk.ORDINARY: 10}
"""So many changes are told one by one; the others by what they have in common."""
_PROPERTIES = 12
_GROUPS = 30
_FINDINGS = 40
_NOTICES = {"error": 0, "warning": 1}
"""By which the engine's words are sorted."""


def render(examinations: Sequence[Examination], console: Console | None = None) -> str:
    """The report as text, with the console's colours; without a console plain, for a file."""
    console = console or Console(file=io.StringIO(), width=WIDTH, no_color=True, color_system=None)
    with console.capture() as captured:
        for line in _lines(examinations):
            console.print(line, soft_wrap=not console.is_terminal, highlight=False)
    # A line's trailing blanks would differ with the console's width.
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _lines(examinations: Sequence[Examination]) -> Iterable[Text]:
    for examination in examinations:
        yield from _stack(examination)
    # The worst stands where the eye rests when the command has ended.
    for examination in sorted(examinations, key=lambda each: -WORST_FIRST.index(each.verdict.code)):
        yield _verdict(examination)


def _stack(examination: Examination) -> Iterable[Text]:
    yield Text.assemble(
        (f"crossmesh {examination.verb}: stack {one_line(examination.stack, 80)}", "bold"),
        f", {facts.against(examination)}",
    )
    yield Text(f"  {facts.counts(examination)}")
    yield Text("")
    for risk, heading in facts.RISKS.items():
        changes = facts.with_risk(examination, risk)
        if changes:
            yield _heading(heading, len(changes))
            yield from _changes(examination, changes, _IN_FULL[risk])
            yield Text("")
    told = facts.findings(examination)
    if told:
        yield _heading("Findings", len(told))
        for finding in told[:_FINDINGS]:
            yield from _finding(finding)
        counted = Counter(one_line(changes.rule, 120) for changes in told[_FINDINGS:])
        for rule, number in sorted(counted.items()):
            yield from _more(number, f"finding of {rule}", f"findings of {rule}")
        yield Text("")
    waived = facts.waived(examination)
    number = sum(len(findings) for *_, findings in waived)
    yield from _section("Waived", [_waiver(*entry) for entry in waived], "waiver", number)
    for layer in facts.changed_layers(examination):
        rows, of = [_row(row) for row in layer.rows if row.changed], f" of {len(layer.rows):,} change"
        yield from _section(one_line(layer.title, 80), rows, "line", of=of)
    unseen = facts.not_measurable(examination)
    lines = [Text(f"  ? {one_line(title, 80)}: {one_line(words)}") for title, words in unseen]
    yield from _section("Not measurable", lines, "thing")
    notices = sorted(examination.changes.notices, key=lambda notice: _NOTICES.get(notice.severity, 2))
    yield from _section("Said by the engine", list(map(_notice, notices)), "message", most=20)
    yield Text(one_line(facts.produced_by(examination.producer)), "dim")
    if examination.sealed:
        yield Text(f"sealed plan, SHA-256 {one_line(examination.sealed)}", "dim")


def _changes(examination: Examination, changes: Sequence[Change], in_full: int) -> Iterable[Text]:
    alone, groups = facts.told_apart(changes, in_full, _GROUPS)
    for change in alone:
        yield from _change(examination, change)
    for group in groups[:_GROUPS]:
        several = f"{len(group.changes):,} × " if len(group.changes) > 1 else ""
        line = _marked(group.op, f"{several}{visible(group.kind)} ")
        line.append(names(group.names))
        line.append(f": {one_line(group.why)}" if group.why else "")
        yield line
        for path, old, new in group.values[:4]:
            yield _values(path, old, new) if group.alike else Text(f"      {visible(path)} differently")
        yield from _more(len(group.values) - 4, "property", "properties", indent=6)
    left_out = groups[_GROUPS:]
    yield from _more(sum(len(group.changes) for group in left_out), "change")


def _change(examination: Examination, change: Change) -> Iterable[Text]:
    head = _marked(change.op, f"{visible(kind(change.resource))} ")
    head.append(one_line(change.resource.name, 120), "bold")
    head.append(f": {one_line(change.why)}" if change.why else "")
    remarks = facts.remarks(examination, change)
    if remarks:
        head.append(f" ({', '.join(remarks)})", "bold red" if remarks[0] == "not approved" else "bold")
    yield head
    reached = facts.reach(change.blast)
    if reached:
        yield Text(f"      reaches {', '.join(reached)}")
    reasons = facts.reasons(change)
    if reasons:
        yield Text(f"      replaced because of {', '.join(visible(path) for path in reasons[:_PROPERTIES])}")
    properties = facts.replacing_first(change.properties)
    for entry in properties[:_PROPERTIES]:
        lines = line_diff(entry.old, entry.new)
        if lines:
            yield Text(f"      {visible(entry.path)}{' (replaces)' if entry.replaces else ''}:")
            for line in lines:
                style = {"+": "green", "-": "red"}.get(line[0], "")
                yield Text(f"        {line}", style)
        else:
            yield _values(entry.path, value(entry.old), value(entry.new), entry.replaces)
    yield from _more(len(properties) - _PROPERTIES, "property", "properties", indent=6)
    places = facts.places(change)
    if places:
        yield Text(f"      at {', '.join(visible(str(place)) for place in places)}", "dim")


def _finding(finding: Finding) -> Iterable[Text]:
    failed = finding.status is Status.FAIL
    style = "bold red" if finding.stops else "yellow" if failed else "cyan"
    status = (f"{facts.finding_words(finding):<14}", style)
    line = Text.assemble("  ", status, " ", one_line(finding.rule, 120))
    line.append(f" {one_line(short_name(finding.urn), 160)}" if finding.urn else "")
    yield line
    if finding.message:
        for words in finding.message.splitlines()[:8]:
            yield Text(f"      {clip(visible(words), 400)}")
    for title, words in facts.particulars(finding):
        yield Text(f"      {title}: {one_line(words, 400)}")
    if finding.fix:
        yield Text(f"      fix: {one_line(finding.fix, 400)}")
    if finding.place is not None:
        yield Text(f"      at {visible(str(finding.place))}", "dim")


def _section(
    title: str, entries: Sequence[Text], noun: str, number: int = 0, of: str = "", most: int = 25
) -> Iterable[Text]:
    """So many entries below a heading; nothing where there are none."""
    if entries:
        yield _heading(title, number or len(entries), of)
        yield from entries[:most]
        yield from _more(len(entries) - most, noun)
        yield Text("")


def _waiver(rule: str, waiver: Waiver | None, findings: Sequence[Finding]) -> Text:
    place = f" ({visible(str(waiver.place))})" if waiver is not None else ""
    by = f"  {one_line(rule, 120)} by {one_line(facts.waiver_words(waiver), 400)}{place}"
    return Text(f"{by}\n      for {names(facts.subjects(findings), 4)}")


def _row(row: Row) -> Text:
    line = _marked(facts.op_of(row), f"{one_line(row.key, 160)}: ")
    line.append(" → ".join(one_line(text, 160) for text in (row.before, row.after) if text is not None))
    return line


def _notice(notice: Notice) -> Text:
    about = f"{one_line(short_name(notice.urn), 160)}: " if notice.urn else ""
    return Text(f"  {one_line(notice.severity, 20):<8}{about}{one_line(notice.message, 400)}")


def _verdict(examination: Examination) -> Text:
    code = examination.verdict.code
    style = "bold green" if code is ExitCode.CLEAN else "bold red"
    return Text.assemble(
        (f"{one_line(examination.stack, 80)}: {facts.code_words(code)} (exit code {int(code)}). ", style),
        one_line(examination.verdict.words, 600),
    )


def _heading(words: str, number: int, of: str = "") -> Text:
    return Text(f"{words} ({number:,}{of})", "bold")


def _marked(op: Op, words: str) -> Text:
    return Text.assemble("  ", (f"{MARKS[op]} {op:<8}", _COLOURS[op]), words)


def _values(path: str, old: str, new: str, replaces: bool = False) -> Text:
    return Text(f"      {visible(path)}{' (replaces)' if replaces else ''}: {old} → {new}")


def _more(number: int, noun: str, plural: str = "", indent: int = 2) -> Iterable[Text]:
    if number > 0:
        words = noun if number == 1 else plural or f"{noun}s"
        yield Text(f"{' ' * indent}… {number:,} more {words} (the JSON report has all)", "dim")
