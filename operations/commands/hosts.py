"""`crossmesh hosts`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click
from rich.table import Table
from rich.text import Text

from access.paths import stack_file
from live import hosts as live_hosts
from live.state import read_stack
from operations.commands import HELP
from operations.commands.options import console, exit_codes, host_option, stack_option
from report.exit_codes import ExitCode


@click.command(context_settings=HELP)
@stack_option
@host_option
@click.option("--json", "as_json", is_flag=True, help="A list of objects, one for each host.")
@exit_codes(ExitCode.NOT_MEASURABLE)
def hosts(stack: str, only: tuple[str, ...], as_json: bool) -> None:
    """Show what answers for each host, and as what: the way, the keys of both sides, the distribution."""
    seen = live_hosts.answers(live_hosts.ways(read_stack(stack_file(stack)), only))
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in seen], indent=2))
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("host", "region", "way", "key", "host key", "answers as"):
            table.add_column(title, overflow="fold")
        for entry in seen:
            words = (
                Text(entry.problem, "bold red") if entry.problem else Text(entry.distribution or "?", "green")
            )
            table.add_row(entry.host, entry.region, entry.way, entry.key, entry.host_key, words)
        console().print(table)
        for entry in seen:
            if entry.fix:
                click.echo(f"{entry.host}: fix: {entry.fix}")
    if any(entry.problem for entry in seen):
        sys.exit(ExitCode.NOT_MEASURABLE)
