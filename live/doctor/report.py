"""The doctor's report: a table for people, JSON for machines (`schema.json` describes it)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from live.doctor.model import Result, Status

SCHEMA_VERSION = 1

_MARKS = {
    Status.OK: ("✔ ok", "green"),
    Status.FAILED: ("✘ failed", "bold red"),
    Status.NOT_MEASURABLE: ("? not measurable", "yellow"),
}


def is_healthy(results: Sequence[Result]) -> bool:
    """Whether every check is ok. What could not be measured is not known to be healthy."""
    return all(result.finding.status is Status.OK for result in results)


def as_json(stack: str, started: datetime, seconds: float, results: Sequence[Result]) -> dict[str, Any]:
    """The report as `schema.json` describes it. `started` is aware of its time zone."""
    counts = {status.value: sum(result.finding.status is status for result in results) for status in Status}
    return {
        "schemaVersion": SCHEMA_VERSION,
        "stack": stack,
        "startedAt": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "healthy": is_healthy(results),
        "counts": counts,
        "checks": [_check(result) for result in results],
    }


def _check(result: Result) -> dict[str, Any]:
    finding = result.finding
    return {
        "id": result.check.id,
        "link": result.check.link,
        "title": result.check.title,
        "status": finding.status.value,
        "measured": finding.measured,
        "expected": finding.expected,
        "explanation": finding.explanation,
        "fix": finding.fix,
        "details": list(finding.details),
        "seconds": round(result.seconds, 3),
    }


def print_table(
    console: Console, results: Sequence[Result], seconds: float, *, details: bool = False
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
        if result.finding.status is not Status.OK:
            _print_problem(console, result)
    console.print(_last_line(results, seconds))


def _print_problem(console: Console, result: Result) -> None:
    mark, style = _MARKS[result.finding.status]
    console.print()
    console.print(Text.assemble((mark, style), "  ", (result.check.id, "bold"), f": {result.check.title}"))
    finding = result.finding
    for name, words in (
        ("measured", finding.measured),
        ("expected", finding.expected),
        ("cause", finding.explanation),
        ("fix", finding.fix),
    ):
        if words:
            console.print(Text.assemble((f"  {name:<9}", "dim"), words))


def _last_line(results: Sequence[Result], seconds: float) -> Text:
    ok = sum(result.finding.status is Status.OK for result in results)
    words = f"\n{ok} of {len(results)} checks ok in {seconds:.1f} s"
    return Text(words, "bold green" if is_healthy(results) else "bold red")
