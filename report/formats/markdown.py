"""The Markdown report: a comment on a merge request, never longer than a platform takes, the worst first."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from report.examination import Examination
from report.exit_codes import ExitCode, worst
from report.formats import facts, markdown_entries
from report.formats.markdown_text import code as span
from report.formats.markdown_text import prose
from report.formats.mermaid import flowchart
from report.model import Risk

CHARACTERS = 60_000
"""At most so many characters; GitHub takes 65,536."""
BYTES = 65_536
"""At most so many bytes of UTF-8, for platforms that count those."""

_ELSEWHERE = "see the other reports"
_IN_FULL = {Risk.DESTRUCTIVE: 60, Risk.TRAFFIC: 30, Risk.ORDINARY: 0}
"""So many changes are told one by one; the others by what they have in common."""
_GROUPS = 60
_FINDINGS = 60

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
    make: Callable[[], str]
    number: int = 1
    """How many things it tells of."""


def marker(verb: str = "gate") -> str:
    """The first line of a comment, which nobody sees: by it the comment is found again, to be updated."""
    return f"<!-- crossmesh-{verb} -->"


def render(examinations: Sequence[Examination]) -> str:
    """The comment over several stacks."""
    # Of one rank the first of each stack comes before the second of any.
    ranked = [
        (entry.rank, place, entry.stack, entry)
        for stack, examination in enumerate(examinations)
        for place, entry in enumerate(_entries(stack, examination))
    ]
    entries = [entry for *_, entry in sorted(ranked, key=lambda entry: entry[:3])]
    texts: list[str] = []
    length = 0
    for entry in entries:
        if length > CHARACTERS:
            break
        texts.append(entry.make())
        length += len(texts[-1]) + 1

    def too_long(number: int) -> bool:
        text = _assemble(examinations, entries, texts[:number])
        return len(text) > CHARACTERS or len(text.encode()) > BYTES

    # The most that fits. Whatever is left out, what stands before it in rank is there.
    most = bisect(range(1, len(texts) + 1), False, key=too_long)
    return _assemble(examinations, entries, texts[:most])


def _entries(stack: int, examination: Examination) -> Iterator[_Block]:
    yield _Block(0, stack, _SUMMARY, partial(markdown_entries.summary_row, examination))
    for rank, risk in ((2, Risk.DESTRUCTIVE), (3, Risk.TRAFFIC), (7, Risk.ORDINARY)):
        alone, groups = facts.told_apart(facts.with_risk(examination, risk), _IN_FULL[risk], _GROUPS)
        for change in alone:
            yield _Block(rank, stack, risk.value, partial(markdown_entries.change, examination, change))
        for group in groups:
            make = partial(markdown_entries.group, group)
            yield _Block(rank, stack, risk.value, make, len(group.changes))
    told = facts.findings(examination)
    for finding in told[:_FINDINGS]:
        yield _Block(1 if finding.stops else 4, stack, "findings", partial(markdown_entries.finding, finding))
    for rule, number in sorted(Counter(finding.rule for finding in told[_FINDINGS:]).items()):
        yield _Block(4, stack, "findings", partial(markdown_entries.findings_of, rule, number), number)
    for layer in facts.changed_layers(examination):
        yield _Block(5, stack, "layers", partial(markdown_entries.layer_head, layer), 0)
        for row in layer.rows:
            if row.changed:
                yield _Block(5, stack, "layers", partial(markdown_entries.layer_row, row))
    for title, words in facts.not_measurable(examination):
        yield _Block(6, stack, "unseen", partial(markdown_entries.unseen, title, words))
    for name, waiver, alike in facts.waived(examination):
        make = partial(markdown_entries.waived, name, waiver, alike)
        yield _Block(7, stack, "waived", make, len(alike))
    for notice in examination.changes.notices:
        yield _Block(8, stack, "notices", partial(markdown_entries.notice, notice))
    drawn = flowchart(examination.topology)
    if drawn:
        yield _Block(9, stack, "picture", partial("\n".join, ["```mermaid", *drawn, "```"]))


def _assemble(examinations: Sequence[Examination], entries: Sequence[_Block], texts: Sequence[str]) -> str:
    """The whole comment with the first so many entries."""
    kept: dict[tuple[int, str], list[str]] = {}
    for entry, text in zip(entries, texts, strict=False):
        kept.setdefault((entry.stack, entry.section), []).append(text)
    total: Counter[tuple[int, str]] = Counter()
    missing: Counter[tuple[int, str]] = Counter()
    for place, entry in enumerate(entries):
        total[entry.stack, entry.section] += entry.number
        missing[entry.stack, entry.section] += entry.number if place >= len(texts) else 0
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
        words += f"; sealed as {span(examination.sealed[:16])}"
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
