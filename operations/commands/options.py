"""What several verbs share."""

from __future__ import annotations

import click
from rich.console import Console

_WIDTH_OF_LOGS = 140

stack_option = click.option(
    "--stack", "-s", required=True, metavar="NAME", help="Name of the stack: stacks/Pulumi.NAME.yaml."
)


def console() -> Console:
    """Standard output for tables: as wide as the terminal; wide enough for every row where there is none."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_WIDTH_OF_LOGS)
