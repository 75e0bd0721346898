"""`crossmesh lock`."""

from __future__ import annotations

import click

from access import engine
from access.locks import Owner, backend_directory, read_locks
from access.paths import stack_file
from operations.commands.options import stack_option
from report.errors import OperationsError


@click.group()
def lock() -> None:
    """See and clear the lock that a killed `pulumi` left on a stack."""


@lock.command()
@stack_option
def show(stack: str) -> None:
    """Name the owner of each lock of a stack, and say whether it lives. Exit code 0 also when there is a
    lock.
    """
    stack_file(stack)
    locks = read_locks(backend_directory(engine.backend_url()), stack)
    for found in locks:
        click.echo(f"stack {stack} is locked by {found.describe()}")
    if not locks:
        click.echo(f"stack {stack} is not locked")


@lock.command()
@stack_option
def clear(stack: str) -> None:
    """Remove the locks of a stack, only if every process that made one was on this machine and is dead."""
    stack_file(stack)
    locks = read_locks(backend_directory(engine.backend_url()), stack)
    if not locks:
        click.echo(f"stack {stack} is not locked", err=True)
        return
    for found in locks:
        click.echo(f"stack {stack} is locked by {found.describe()}", err=True)
    kept = [found for found in locks if found.owner is not Owner.DEAD]
    if kept:
        fix = (
            "Wait until it ends."
            if kept[0].owner is Owner.ALIVE
            else f"See on {kept[0].host} that it is dead, then run `pulumi cancel --stack {stack}`."
        )
        raise OperationsError(f"the lock of stack {stack} is kept: {kept[0].describe()}. {fix}")
    engine.pulumi("cancel", "--yes", "--stack", stack)
    click.echo(f"stack {stack}: stale lock removed", err=True)
