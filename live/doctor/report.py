"""The doctor's own report, a table; and what all formats of reports are made from."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gate.effects.sources import Sources
from live.doctor.model import CheckResult
from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.formats.text import many
from report.model import Against, ChangeSet, Finding, Severity, Status

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
    failed = [result.check.id for result in results if result.finding.stops]
    warned = sum(result.finding.status is Status.FAIL for result in results) - len(failed)
    unseen = sum(not result.passed for result in results) - len(failed) - warned
    also = f" {many(unseen, 'thing')} could not be measured." if unseen else ""
    with_warnings = f", {many(warned, 'check')} with a warning" if warned else ""
    if failed:
        shown = ", ".join(failed[:3]) + (" …" if len(failed) > 3 else "")
        verdict = Verdict(ExitCode.UNHEALTHY, f"{many(len(failed), 'check')} failed: {shown}.{also}")
    elif unseen:
        verdict = Verdict(ExitCode.NOT_MEASURABLE, also.strip())
    else:
        verdict = Verdict(ExitCode.CLEAN, f"{many(len(results) - warned, 'check')} passed{with_warnings}.")
    return Examination(
        stack=stack,
        verb="doctor",
        verdict=verdict,
        changes=ChangeSet(Against.LIVE, (), ()),
        layers=(),
        rules=tuple(result.check.rule for result in results),
        findings=tuple(sources.told(result.finding) for result in results),
        producer=producer,
    )


def print_table(
    console: Console, results: Sequence[CheckResult], seconds: float, *, details: bool = False
) -> None:
    """Print one row per check, grouped by link, and below the table each cause and fix in full."""
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
    for result in results:
        if not result.passed:
            _print_problem(console, result)
    passed = sum(result.passed for result in results)
    words = f"\n{passed} of {len(results)} checks ok in {seconds:.1f} s"
    console.print(Text(words, "bold green" if passed == len(results) else "bold red"))


def _print_problem(console: Console, result: CheckResult) -> None:
    mark, style = _mark(result.finding)
    console.print()
    console.print(Text.assemble((mark, style), "  ", (result.check.id, "bold"), f": {result.check.title}"))
    finding = result.finding
    for name, words in (
        ("measured", finding.measured),
        ("expected", finding.expected),
        ("cause", finding.message),
        ("fix", finding.fix),
    ):
        if words:
            console.print(Text.assemble((f"  {name:<9}", "dim"), words))
