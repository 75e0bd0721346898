"""`crossmesh ledger`."""

from __future__ import annotations

import sys

import click

from access.paths import stack_file
from operations.commands import HELP
from operations.commands.options import exit_codes, stack_option
from report.errors import ConfigurationError
from report.exit_codes import ExitCode
from stacks.errors import StackFileError
from stacks.ledger import Ledger, PoolExhausted, assign, missing
from stacks.load import load_stack
from stacks.write import write_ledger


@click.command(context_settings=HELP)
@stack_option
@click.option("--write", is_flag=True, help="Write what is missing into the stack file.")
@exit_codes(engine=False)
def ledger(stack: str, write: bool) -> None:
    """Show who has which addresses, with a slice for everything that has none yet.

    Entries that exist never change. Exit code 1 when entries are missing and --write was not given.
    """
    path = stack_file(stack)
    try:
        loaded = load_stack(path, require_ledger=False)
        lacking = missing(loaded.environment, loaded.ledger)
        complete = assign(loaded.environment, loaded.ledger)
        click.echo(render(complete))
        for notice in loaded.notices:
            click.echo(f"{path.name}: {notice}", err=True)
        if not lacking:
            click.echo(f"{path.name}: the ledger is complete", err=True)
            return
        if write:
            write_ledger(path, complete)
        for entry in lacking:
            click.echo(f"{path.name}: {'written' if write else 'no entry'}: {entry}", err=True)
    except StackFileError as error:
        raise ConfigurationError(str(error)) from error
    except PoolExhausted as error:
        raise ConfigurationError(f"{path}: {error}. Declare a larger pool, or shorter slices.") from error
    if not write:
        click.echo(f"Write them with `crossmesh ledger --stack {stack} --write`.", err=True)
        sys.exit(ExitCode.TOOL_ERROR)
    click.echo(f"{path.name}: commit what was written with the change", err=True)


def render(complete: Ledger) -> str:
    """The ledger as a list of clusters and their nodes."""
    lines = []
    for region, slices in complete.clusters.items():
        lines.append(f"{region}: pods {slices.pods}, services {slices.services}")
        lines += [f"  {name}: {slice_}" for name, slice_ in complete.nodes.get(region, {}).items()]
    return "\n".join(lines) or "no cluster needs a slice"
