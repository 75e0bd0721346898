"""`crossmesh secrets`."""

from __future__ import annotations

import click

from access import root_key
from operations.commands import HELP
from operations.commands.options import exit_codes, stack_option


@click.group(context_settings=HELP)
def secrets() -> None:
    """The secrets of a stack that are made by a command: the key of the mesh's root certificate authority."""


@secrets.command()
@stack_option
@click.option(
    "--algorithm",
    type=click.Choice([algorithm.value for algorithm in root_key.Algorithm]),
    default=root_key.Algorithm.EC_P256.value,
    show_default=True,
    help="Algorithm of the key.",
)
@exit_codes()
def init(stack: str, algorithm: str) -> None:
    """Give the stack a root key if it has none; make the stack if the backend does not know it."""
    made = root_key.init(stack, root_key.Algorithm(algorithm))
    click.echo(f"stack {stack}: root key {'made' if made else 'is there already'}", err=True)


@secrets.command()
@stack_option
@exit_codes()
def remove(stack: str) -> None:
    """Take the root key out of the stack's file, once nothing rests on it any more."""
    removed = root_key.remove(stack)
    click.echo(f"stack {stack}: root key {'removed' if removed else 'was not there'}", err=True)
