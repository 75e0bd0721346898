"""`crossmesh hardening`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import groupby

import click
from rich.table import Table
from rich.text import Text

from live.hardening import listed
from live.hardening.model import BENCHMARK, Entry, State
from operations.commands import HELP
from operations.commands.options import console, exit_codes, stack_option
from report.exit_codes import ExitCode

_STYLES = {
    State.HOLDS: "green",
    State.FAILS: "bold red",
    State.NOT_APPLICABLE: "dim",
    State.UNKNOWN: "yellow",
}
_TITLES = ("point", "what is to hold", "there", "wanted", "decided by", "state")
_NARROW = frozenset({"point", "state"})


@click.command(context_settings=HELP)
@stack_option
@click.option("--region", "-r", metavar="NAME", help="This region only.")
@click.option("--json", "as_json", is_flag=True, help="A list of objects, one for each point and place.")
@exit_codes(ExitCode.NOT_MEASURABLE, ExitCode.UNHEALTHY)
def hardening(stack: str, region: str | None, as_json: bool) -> None:
    """List every point of the CIS Kubernetes Benchmark, and whether it holds.

    Hosts are read over ssh, clusters by their API, and nothing is changed: of files only modes and owners are
    told, of programs their flags, and no secret. What does not answer is in the list as not known.
    """
    entries = listed.read(stack, region)
    if as_json:
        click.echo(json.dumps([entry.document() for entry in entries], indent=2))
    else:
        _show(entries)
    sys.exit(listed.exit_code(entries))


def _show(entries: Sequence[Entry]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", title=BENCHMARK, title_justify="left")
    for title in _TITLES:
        table.add_column(title, overflow="fold", no_wrap=title in _NARROW)
    for (region, at), group in groupby(entries, lambda entry: (entry.region, entry.at)):
        table.add_row("", Text(f"{region}, {at}", "bold"))
        for entry in group:
            table.add_row(*map(Text, _row(entry)), Text(str(entry.state), _STYLES[entry.state]))
    console().print(table)
    for line in _mends(entries):
        click.echo(line)
    click.echo(listed.summary(entries))


def _row(entry: Entry) -> tuple[str, ...]:
    point = entry.point
    return point.number, point.title, entry.verdict.there, point.wanted, str(point.decided_by)


def _mends(entries: Sequence[Entry]) -> list[str]:
    """How to mend what does not hold: each point once, with the places where it does not."""
    places: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        if entry.mend and entry.state is State.FAILS:
            key = (entry.point.number, entry.mend)
            places.setdefault(key, []).append(f"{entry.region}/{entry.at}")
    lines = [f"{number} ({', '.join(where)}): {mend}" for (number, mend), where in places.items()]
    return [*lines, *_unreached(entries)]


def _unreached(entries: Sequence[Entry]) -> list[str]:
    """Why some are not known, each reason once for each place."""
    reasons = {
        (entry.region, entry.at, entry.verdict.there): entry.mend
        for entry in entries
        if entry.state is State.UNKNOWN
    }
    return [
        f"{region}/{at}: not known: {why}" + (f"; fix: {fix}" if fix else "")
        for (region, at, why), fix in reasons.items()
    ]
