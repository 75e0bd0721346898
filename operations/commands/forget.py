"""`crossmesh forget`."""

from __future__ import annotations

from contextlib import suppress

import click

from access import engine, root_key
from access.paths import stack_file
from operations.commands import HELP
from operations.commands.options import exit_codes, stack_option
from report.errors import StackNotFoundError


@click.command(context_settings=HELP)
@stack_option
@click.option("--machines-are-gone", is_flag=True, help="Required: nothing of the stack exists any more.")
@exit_codes()
def forget(stack: str, machines_are_gone: bool) -> None:
    """Drop a stack whose machines no longer exist: its state and its secrets.

    Nothing is reached and nothing is deleted elsewhere; `pulumi destroy` is for machines that exist.
    """
    if not machines_are_gone:
        raise click.UsageError(
            "this drops the only record of what the stack made. If its machines are gone for good, say so "
            f"with --machines-are-gone; otherwise run `pulumi destroy --stack {stack}`."
        )
    root_key.require_writable(stack_file(stack))
    with suppress(StackNotFoundError):
        engine.pulumi("stack", "rm", stack, "--yes", "--force", "--preserve-config")
    root_key.remove(stack)
    click.echo(f"stack {stack}: forgotten", err=True)
