"""Options that several verbs share."""

from __future__ import annotations

import click

stack_option = click.option(
    "--stack", "-s", required=True, metavar="NAME", help="Name of the stack: stacks/Pulumi.NAME.yaml."
)
