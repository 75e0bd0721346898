"""The doctor's own report, a table and JSON with times; and what all other formats are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from live.doctor.model import CheckResult
from report import schema
from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.formats.text import many
from report.model import Against, ChangeSet, Status

FILE = Path(__file__).parents[2] / "docs" / "reference" / "doctor-report.schema.json"
"""Where `reference` is kept."""

_MARKS = {
    Status.PASS: ("✔ ok", "green"),
    Status.FAIL: ("✘ failed", "bold red"),
    Status.NOT_MEASURABLE: ("? not measurable", "yellow"),
}
_Word = Literal["ok", "failed", "not-measurable"]
_WORDS: dict[Status, _Word] = dict(zip(_MARKS, get_args(_Word), strict=True))


@dataclass(frozen=True)
class CheckReport:
    """One check and what it found."""

    id: str
    """Stable: `<kind>` or `<kind>/<region or name>`."""
    link: str
    """The link of the chain that the check belongs to."""
    title: str
    status: _Word
    measured: str
    expected: str
    explanation: str
    """Likely cause; empty when ok."""
    fix: str
    """What to do next; empty when ok."""
    details: tuple[str, ...]
    """The single measurements."""
    seconds: float


@dataclass(frozen=True)
class DoctorReport:
    """Keys are added, never renamed or removed, within one version."""

    __pydantic_config__ = schema.CONFIG

    stack: str
    """Name of the stack that was examined."""
    started_at: datetime
    """RFC 3339, with its time zone."""
    seconds: float
    """How long the whole examination took."""
    healthy: bool
    """True when every check is ok; the exit code is 0 exactly then."""
    counts: dict[_Word, int]
    checks: list[CheckReport]
    schema_version: Literal[1] = 1


def examination(stack: str, results: Sequence[CheckResult], producer: Producer) -> Examination:
    """What the checks found, for every format that reports have."""
    failed = [result.check.id for result in results if result.finding.status is Status.FAIL]
    unseen = sum(not result.passed for result in results) - len(failed)
    also = f" {many(unseen, 'thing')} could not be measured." if unseen else ""
    if failed:
        shown = ", ".join(failed[:3]) + (" …" if len(failed) > 3 else "")
        verdict = Verdict(ExitCode.UNHEALTHY, f"{many(len(failed), 'check')} failed: {shown}.{also}")
    elif unseen:
        verdict = Verdict(ExitCode.NOT_MEASURABLE, also.strip())
    else:
        verdict = Verdict(ExitCode.CLEAN, f"{many(len(results), 'check')} passed.")
    return Examination(
        stack=stack,
        verb="doctor",
        verdict=verdict,
        changes=ChangeSet(Against.LIVE, (), ()),
        layers=(),
        rules=tuple(result.check.rule for result in results),
        findings=tuple(result.finding for result in results),
        producer=producer,
    )


def as_json(stack: str, started: datetime, seconds: float, results: Sequence[CheckResult]) -> dict[str, Any]:
    """The report as its schema describes it. `started` is aware of its time zone."""
    report = DoctorReport(
        stack=stack,
        started_at=started.replace(microsecond=0),
        seconds=round(seconds, 3),
        healthy=all(result.passed for result in results),
        counts={
            word: sum(result.finding.status is status for result in results)
            for status, word in _WORDS.items()
        },
        checks=[_check(result) for result in results],
    )
    document: dict[str, Any] = TypeAdapter(DoctorReport).dump_python(report, mode="json", by_alias=True)
    return document


def reference() -> str:
    """The JSON schema of `--json`, as the text of its file."""
    return schema.render(DoctorReport, "urn:crossmesh:doctor-report:1", "Report of `crossmesh doctor --json`")


def _check(result: CheckResult) -> CheckReport:
    check, finding = result.check, result.finding
    return CheckReport(
        id=check.id,
        link=check.link,
        title=check.title,
        status=_WORDS[finding.status],
        measured=finding.measured,
        expected=finding.expected,
        explanation=finding.message,
        fix=finding.fix,
        details=finding.details,
        seconds=round(result.seconds, 3),
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
        mark, style = _MARKS[result.finding.status]
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
    mark, style = _MARKS[result.finding.status]
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
