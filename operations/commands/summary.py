"""`crossmesh summary`."""

from __future__ import annotations

import click

from operations import engine
from operations.commands.options import stack_option
from operations.doctor.platform import read_stack
from operations.outputs import parse_outputs
from operations.summary import summarise


@click.command()
@stack_option
def summary(stack: str) -> None:
    """Print the URL, how to ask for it, and what to do next."""
    environment = read_stack(stack).environment
    click.echo(summarise(stack, environment, parse_outputs(stack, engine.stack_outputs(stack))))
