"""`crossmesh status`."""

from __future__ import annotations

import sys

import click
from rich.table import Table
from rich.text import Text

from live.doctor.platform import open_platform
from live.status import read_status
from operations.commands import HELP
from operations.commands.options import console, exit_codes, stack_option
from report.exit_codes import ExitCode


@click.command(context_settings=HELP)
@stack_option
@exit_codes(ExitCode.UNHEALTHY)
def status(stack: str) -> None:
    """Show who holds the stack, what a killed `up` left, and nodes, gateways and DNS answers."""
    with open_platform(stack) as platform:
        lines = read_status(platform)
    table = Table(box=None, pad_edge=False, show_header=False)
    previous = ""
    for line in lines:
        group = line.group if line.group != previous else ""
        previous = line.group
        table.add_row(Text(group, "bold"), line.name, Text(line.state, "green" if line.well else "bold red"))
    console().print(table)
    if not all(line.well for line in lines):
        sys.exit(ExitCode.UNHEALTHY)
