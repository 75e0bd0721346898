"""`crossmesh certificates`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import click
from rich.table import Table
from rich.text import Text

from live.expiry import listed
from live.expiry.model import Entry, Kind, State
from operations.commands import HELP
from operations.commands.options import console, exit_codes, stack_option
from report.exit_codes import ExitCode

_STYLES = {State.OK: "green", State.SOON: "yellow", State.UNKNOWN: "yellow"}
_TITLES = ("place", "subject", "issuer", "from", "until", "left", "renewed by", "state")


@click.command(context_settings=HELP)
@stack_option
@click.option("--json", "as_json", is_flag=True, help="A list of objects, one for each certificate or key.")
@click.option(
    "--within",
    type=click.IntRange(min=1),
    metavar="DAYS",
    help="What ends within so many days ends soon; without it, 30 days, or a fifth of a shorter life.",
)
@exit_codes(ExitCode.NOT_MEASURABLE, ExitCode.UNHEALTHY)
def certificates(stack: str, as_json: bool, within: int | None) -> None:
    """List every certificate and key, until when it is valid, and what renews it.

    Asked are the stack's state, the hosts over ssh, and the clusters: one that does not answer is in the list
    as not known. Only what is public is read of a host.
    """
    least, now = timedelta(days=within) if within else None, datetime.now(UTC)
    entries = listed.read(stack)
    if as_json:
        click.echo(json.dumps([entry.document(now, least) for entry in entries], indent=2))
    else:
        _show(entries, now, least)
    sys.exit(listed.exit_code(entries, least, now))


def _show(entries: Sequence[Entry], now: datetime, within: timedelta | None) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in _TITLES:
        table.add_column(title, overflow="fold", no_wrap=title in ("from", "until", "left", "state"))
    for (region, at), group in groupby(entries, lambda entry: (entry.region, entry.at)):
        table.add_row(Text(f"{region or 'all regions'}, {at}", "bold"))
        for entry in group:
            state = entry.state(now, within)
            table.add_row(*_row(entry, now), Text(str(state), _STYLES.get(state, "bold red")))
    console().print(table)
    for entry in entries:
        if entry.problem:
            fix = f"; fix: {entry.fix}" if entry.fix else ""
            click.echo(f"{entry.says(now)}{fix}")


def _row(entry: Entry, now: datetime) -> tuple[str, ...]:
    start, end, left = entry.not_before, entry.not_after, entry.left(now)
    subject = (
        f"public key {entry.fingerprint}" if entry.kind is Kind.KEY and not entry.problem else entry.subject
    )
    until = f"{end:%Y-%m-%d}" if end else "" if entry.problem else "no end"
    return (
        f"  {entry.place}",
        subject,
        entry.issuer,
        f"{start:%Y-%m-%d}" if start else "",
        until,
        "" if left is None else f"{left.days} days",
        entry.renewed_by,
    )
