"""`crossmesh exposure`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
from rich.table import Table
from rich.text import Text

from access.paths import stack_file
from operations.commands import HELP
from operations.commands.options import console, exit_codes, stack_option
from report.errors import ConfigurationError
from stacks.errors import StackFileError
from stacks.exposure import Row, document, table
from stacks.load import load_stack


@click.command(context_settings=HELP)
@stack_option
@click.option("--json", "as_json", is_flag=True, help="One object: rows, in the order in which they count.")
@exit_codes(engine=False)
def exposure(stack: str, as_json: bool) -> None:
    """Show what is reached from outside, by whom, and what answers; nothing is asked or touched.

    A row for each host, path, method and set of headers, by the declaration alone. Rows are in the order in
    which gateways try them: of several that a request is for, the first one counts.
    """
    path = stack_file(stack)
    try:
        environment = load_stack(path, require_ledger=False).environment
    except StackFileError as error:
        raise ConfigurationError(str(error)) from error
    rows = table(environment)
    if as_json:
        click.echo(json.dumps(document(rows), indent=2))
    elif rows:
        _show(rows)
    else:
        click.echo(f"{path} exposes nothing; `ingresses` and `routes` do.")


def _show(rows: Sequence[Row]) -> None:
    listing = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("requests", "for", "gateways", "callers", "answered by", "declared"):
        listing.add_column(title, overflow="fold")
    for row in rows:
        further = [f"as {row.rewrite}"] if row.rewrite else []
        further += [f"within {row.timeout}"] if row.timeout else []
        listing.add_row(
            f"{row.scheme}://{row.host}{row.path}{' alone' if row.exact else ''}",
            row.asked or "all",
            ", ".join(row.gateways),
            Text(row.callers if row.why else f"{row.callers}, nobody says why", "" if row.why else "yellow"),
            ", ".join([row.leads, *further]),
            row.declared,
        )
    console().print(listing)
    for why in dict.fromkeys((row.host, row.why) for row in rows if row.why):
        click.echo(f"{why[0]}: {why[1]}")
