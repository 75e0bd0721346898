"""`crossmesh summary`."""

from __future__ import annotations

import click

from access import engine
from access.outputs import parse_outputs
from access.paths import stack_file
from live.state import read_stack
from live.summary import summarise
from operations.commands import HELP
from operations.commands.options import exit_codes, stack_option


@click.command(context_settings=HELP)
@stack_option
@exit_codes()
def summary(stack: str) -> None:
    """Print the URL, how to ask for it, and what to do next."""
    environment = read_stack(stack_file(stack)).environment
    click.echo(summarise(stack, environment, parse_outputs(stack, engine.stack_outputs(stack))))
