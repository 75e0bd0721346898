"""`crossmesh lock`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from access import engine, pending
from access.locks import Lock, Owner, backend_directory, read_locks
from access.paths import stack_file
from operations.commands import HELP
from operations.commands.options import exit_codes, stack_option
from report.errors import OperationsError, StackNotFoundError
from runbooks.applied import BROUGHT_TO


@click.group(context_settings=HELP)
def lock() -> None:
    """See and clear the lock that a killed `pulumi` left on a stack."""


@lock.command()
@stack_option
@exit_codes()
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
@exit_codes()
def clear(stack: str) -> None:
    """Clean up after a killed `pulumi`: its locks go, and the next `up` finishes what it left half done.

    Locks are removed only if every process that made one was on this machine and is dead. Backends that are
    no directories have locks of their own: `pulumi cancel` removes those.
    """
    stack_file(stack)
    url = engine.backend_url()
    if url.startswith("file:"):
        _remove_stale(stack, read_locks(backend_directory(url), stack))
    try:
        interrupted = pending.settle(stack, BROUGHT_TO)
    except StackNotFoundError:
        return  # it may be that no `up` has come so far as to make it
    for operation in interrupted:
        click.echo(f"stack {stack}: {operation}; the next `up` goes on with it", err=True)


def _remove_stale(stack: str, locks: Sequence[Lock]) -> None:
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
