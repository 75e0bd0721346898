"""What several verbs share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click
from rich.console import Console

from access.paths import stack_names
from report.exit_codes import ExitCode
from report.formats.request import FORMATS

_WIDTH_OF_LOGS = 140

_ANY = (
    ExitCode.CLEAN,
    ExitCode.TOOL_ERROR,
    ExitCode.USAGE,
    ExitCode.AUTHENTICATION,
    ExitCode.PREVIEW_FAILED,
    ExitCode.STACK_NOT_FOUND,
    ExitCode.CANCELLED,
)
"""What every command that looks at a stack may end with."""

Command = TypeVar("Command", bound=Callable[..., Any])


def _names_of_stacks(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in stack_names() if name.startswith(incomplete)]


_stack = partial(
    click.option, "--stack", "-s", required=True, metavar="NAME", shell_complete=_names_of_stacks
)
stack_option = _stack(help="Name of the stack: stacks/Pulumi.NAME.yaml.")
stacks_option = _stack(
    "stacks",
    multiple=True,
    help="Name of a stack: stacks/Pulumi.NAME.yaml. Give it several times for several stacks.",
)
host_option = click.option(
    "--host", "only", multiple=True, metavar="NAME", help="This host only; several times for several."
)
report_option = click.option(
    "--report",
    "wanted",
    multiple=True,
    metavar="FORMAT=PATH",
    help=f"Write a report: {', '.join(FORMATS)}. '-' is standard output, {{stack}} in PATH makes one file "
    "per stack.",
)


def exit_codes(*codes: ExitCode) -> Callable[[Command], Command]:
    """List the codes that a command may end with below its help: these, and those of all of its kind."""

    def listed(command: Command) -> Command:
        lines = "\n".join(f"  {int(code):2}  {code.meaning}" for code in sorted({*_ANY, *codes}))
        command.__doc__ = f"{inspect.getdoc(command)}\n\n\b\nExit codes:\n{lines}\n"
        return command

    return listed


def timeout_option(default: float, help: str) -> Callable[[Command], Command]:
    """`--timeout`: seconds, more than none."""
    more_than_none = click.FloatRange(min=0, min_open=True)
    return click.option("--timeout", default=default, show_default=True, type=more_than_none, help=help)


def console() -> Console:
    """Standard output for tables: as wide as the terminal; wide enough for every row where there is none."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_WIDTH_OF_LOGS)
