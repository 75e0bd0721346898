"""`crossmesh ask`."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import click
from rich.table import Table
from rich.text import Text

from access import engine
from access.outputs import parse_outputs
from live.ask import ask as ask_platform
from operations.commands import HELP
from operations.commands.options import console, exit_codes, stack_option
from report.exit_codes import ExitCode


@click.command(context_settings=HELP)
@stack_option
@click.argument("url", required=False)
@exit_codes(ExitCode.UNHEALTHY)
def ask(stack: str, url: str | None) -> None:
    """Ask for URL as a client does: each name server, then each gateway that it names.

    URL is an https URL, the platform's own where it is left out. Certificates are verified against the
    platform's authority. Not well is what does not answer, or with a status of 400 or more.
    """
    outputs = parse_outputs(stack, engine.stack_outputs(stack))
    url = url or outputs.url
    if not url:
        raise click.UsageError(
            f"stack {stack!r} exposes nothing, so there is no URL to ask for: declare one of `ingresses` or "
            "`routes`."
        )
    if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
        raise click.UsageError(
            f"{url!r} is no https URL, such as {outputs.url or 'https://shop.example.org/'}."
        )
    table = Table(box=None, pad_edge=False, show_header=False)
    replies = list(ask_platform(outputs, url))
    for reply in replies:
        table.add_row(reply.who, Text(reply.words, "green" if reply.well else "bold red"))
    console().print(table)
    if not replies or not all(reply.well for reply in replies):
        sys.exit(ExitCode.UNHEALTHY)
