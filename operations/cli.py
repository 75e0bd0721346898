"""The command `crossmesh`."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from access.paths import version
from operations.commands import HELP
from report.errors import CancelledError, OperationsError

VERBS = (
    "ask",
    "certificates",
    "completion",
    "doctor",
    "drift",
    "exposure",
    "forget",
    "gate",
    "hardening",
    "hosts",
    "kubeconfig",
    "ledger",
    "lock",
    "preflight",
    "rehearse",
    "releases",
    "runbook",
    "secrets",
    "simulate",
    "status",
    "summary",
    "up",
)
"""Each is a command in the module of its name."""


def verb(name: str) -> click.Command:
    """One of `VERBS`."""
    command: click.Command = getattr(import_module(f"operations.commands.{name}"), name)
    return command


class _Verbs(click.Group):
    """Each verb is loaded when it is asked for: what one stands on is not waited for by the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return verb(cmd_name) if cmd_name in VERBS else None

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the arguments; help loads every verb for its first line."""
        with _in_words():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        with _in_words():
            return super().invoke(ctx)


@contextmanager
def _in_words() -> Iterator[None]:
    """However the block is broken off, it ends with a sentence and a code that is documented."""
    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        raise CancelledError("interrupted.") from None
    except OSError as error:
        if error.errno == errno.EPIPE:
            # Whoever reads has seen enough: click ends in silence.
            raise
        raise OperationsError(f"this computer refused: {error}.") from None


@click.group(cls=_Verbs, context_settings=HELP)
@click.version_option(version(), message="%(prog)s %(version)s")
def crossmesh() -> None:
    """Review what a change does to a platform, and look after what `pulumi up` made.

    Exit codes: 0 all is well; 1 something failed; 2 wrong usage or configuration. Those of `gate`, `drift`,
    `up`, `doctor` and `status` are in their own help, all of them in docs/reference/exit-codes.md.
    """
