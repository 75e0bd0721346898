"""The doctor's own report, causes and a table; and what all formats of reports are made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gate.effects.sources import Sources
from live.doctor.causes import causes, judge
from live.doctor.keys import Key
from live.doctor.model import CheckResult
from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.formats.text import many, one_line
from report.model import Against, Cause, ChangeSet, Finding, Severity, Status

_MARKS = {
    Status.PASS: ("✔ ok", "green"),
    Status.FAIL: ("✘ failed", "bold red"),
    Status.NOT_MEASURABLE: ("? not measurable", "yellow"),
}
_WARNING = ("! warning", "yellow")


def _mark(finding: Finding) -> tuple[str, str]:
    warns = finding.status is Status.FAIL and finding.severity is Severity.WARNING
    return _WARNING if warns else _MARKS[finding.status]


def examination(
    stack: str, results: Sequence[CheckResult], producer: Producer, sources: Sources
) -> Examination:
    """What the checks found, for every format that reports have."""
    follows, found = judge(results), causes(results)
    rules = {result.check.id: result.check.rule.id for result in results}

    def told(result: CheckResult) -> Finding:
        lower = tuple(rules[key] for key in follows.get(result.check.id, ()))
        return sources.told(replace(result.finding, follows_from=lower))

    return Examination(
        stack=stack,
        verb="doctor",
        verdict=_verdict(results, found),
        changes=ChangeSet(Against.LIVE, (), ()),
        layers=(),
        rules=tuple(result.check.rule for result in results),
        findings=tuple(map(told, results)),
        producer=producer,
        causes=found,
    )


def _verdict(results: Sequence[CheckResult], found: Sequence[Cause]) -> Verdict:
    failed = sum(result.finding.stops for result in results)
    warned = sum(result.finding.status is Status.FAIL for result in results) - failed
    unseen = sum(result.broken for result in results) - failed
    also = f" {many(unseen, 'thing')} could not be measured." if unseen else ""
    if failed:
        others = sum(cause.status is Status.FAIL for cause in found) - 1
        beside = f", and {many(others, 'other cause')}" if others else ""
        words = (
            f"{_name(found[0])}: {one_line(found[0].message, 200)}{beside}. {many(failed, 'check')} failed."
        )
        return Verdict(ExitCode.UNHEALTHY, f"{words}{also}")
    if unseen:
        words = f"{_name(found[0])}: {one_line(found[0].message, 200)}."
        return Verdict(ExitCode.NOT_MEASURABLE, f"{words}{also}")
    with_warnings = f", {many(warned, 'check')} with a warning" if warned else ""
    return Verdict(ExitCode.CLEAN, f"{many(len(results) - warned, 'check')} passed{with_warnings}.")


def print_causes(
    console: Console, stack: str, results: Sequence[CheckResult], *, every: bool = False
) -> None:
    """Print what everything that is not well comes down to, the first on the first line; nothing if all is
    well. every: what follows is told below in full, and needs no hint.
    """
    found = causes(results)
    words = {result.check.rule.id: result.finding for result in results}
    for cause in found:
        for line in _told(cause, stack, words, every=every):
            console.print(line, soft_wrap=not console.is_terminal)
        console.print()


def _told(cause: Cause, stack: str, words: Mapping[str, Finding], *, every: bool) -> Iterable[Text]:
    mark, style = ("cause", "bold red") if cause.status is Status.FAIL else ("not known", "yellow")
    place = f" in {cause.region}" if cause.region else ""
    unknown = ", ".join(map(_short, cause.unknown))
    beside = f" ({unknown} is not known)" if len(cause.unknown) == 1 else ""
    said = f"{place}: {one_line(cause.message)}{beside}"
    yield Text.assemble((mark, style), ": ", (_name(cause), "bold"), said)
    fixes = [cause.fix]
    if len(cause.unknown) == 1:
        finding = words[cause.unknown[0]]
        yield _line("not known", f"{unknown}: {one_line(finding.message)}")
        fixes.insert(0, finding.fix)
    elif unknown:
        yield _line("not known", f"{unknown}, which it rests on")
    if cause.runbook:
        yield _line("runbook", f"crossmesh runbook run {cause.runbook} --stack {stack}")
    else:
        yield from (_line("fix", one_line(fix, 600)) for fix in fixes if fix)
    if cause.follows:
        verb = "follows" if len(cause.follows) == 1 else "follow"
        hint = "" if every else " (--all tells of each)"
        count = f"{many(len(cause.follows), 'check')} {verb} from it: "
        yield Text(f"  {count}{', '.join(map(_short, cause.follows))}{hint}")
    if cause.holds and cause.status is Status.FAIL:
        verb = "rests on it and is" if len(cause.holds) == 1 else "rest on it and are"
        yield Text(f"  {many(len(cause.holds), 'check')} {verb} ok: {', '.join(map(_short, cause.holds))}")


def _name(cause: Cause) -> str:
    return _short(cause.rule)


def _short(rule: str) -> str:
    """The id of a check, from that of its rule."""
    return rule.partition("/")[2]


def _line(title: str, words: str) -> Text:
    return Text.assemble((f"  {title:<10}", "dim"), words)


def print_table(
    console: Console,
    results: Sequence[CheckResult],
    seconds: float,
    *,
    details: bool = False,
    every: bool = True,
) -> None:
    """Print one row per check, grouped by link, and below the table each cause and fix in full.

    every: those too that follow from others.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("link", "check", "status", "measured"):
        table.add_column(title, overflow="fold", no_wrap=title == "status")
    previous = ""
    for result in results:
        mark, style = _mark(result.finding)
        link = result.check.link if result.check.link != previous else ""
        previous = result.check.link
        table.add_row(
            Text(link, "bold"), Text(result.check.id), Text(mark, style), Text(result.finding.measured)
        )
        if details:
            for line in result.finding.details:
                table.add_row("", "", "", Text(f"· {line}", "dim"))
    console.print(table)
    follows = judge(results)
    for result in results:
        lower = follows.get(result.check.id, ())
        if not result.passed and (every or not lower):
            _print_problem(console, result, lower)
    passed = sum(result.passed for result in results)
    words = f"\n{passed} of {len(results)} checks ok in {seconds:.1f} s"
    console.print(Text(words, "bold green" if passed == len(results) else "bold red"))


def _print_problem(console: Console, result: CheckResult, follows: Sequence[Key]) -> None:
    mark, style = _mark(result.finding)
    console.print()
    console.print(Text.assemble((mark, style), "  ", (result.check.id, "bold"), f": {result.check.title}"))
    finding = result.finding
    for name, words in (
        ("measured", finding.measured),
        ("expected", finding.expected),
        ("cause", finding.message),
        ("fix", finding.fix),
        ("runbook", f"crossmesh runbook run {finding.runbook}" if finding.runbook else ""),
        ("follows from", ", ".join(follows)),
    ):
        if words:
            console.print(Text.assemble((f"  {name:<9}", "dim"), " " if len(name) > 8 else "", words))
