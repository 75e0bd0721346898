"""What several verbs share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import click
from rich.console import Console

from access import engine
from access.paths import stack_names
from report import formats as reports
from report.examination import Producer, Verb
from report.exit_codes import ExitCode
from report.formats import FORMATS, ReportRequest
from report.verdict import BROKEN, in_words, stopped

_WIDTH_OF_LOGS = 140

_ANY = (ExitCode.CLEAN, ExitCode.TOOL_ERROR, ExitCode.USAGE, ExitCode.CANCELLED)
"""What every command may end with."""
_ENGINE = (
    ExitCode.AUTHENTICATION,
    ExitCode.PREVIEW_FAILED,
    ExitCode.STACK_NOT_FOUND,
    ExitCode.TIMEOUT,
)
"""What every command may end with that asks the engine for a stack."""

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


def exit_codes(*codes: ExitCode, engine: bool = True) -> Callable[[Command], Command]:
    """List the codes that a command may end with below its help: these, and those of all of its kind.

    engine: whether it asks the engine for a stack.
    """
    all_codes = sorted({*_ANY, *(_ENGINE if engine else ()), *codes})

    def listed(command: Command) -> Command:
        lines = "\n".join(f"  {int(code):2}  {code.meaning}" for code in all_codes)
        command.__doc__ = f"{inspect.getdoc(command)}\n\n\b\nExit codes:\n{lines}\n"
        return command

    return listed


def timeout_option(default: float, help: str) -> Callable[[Command], Command]:
    """`--timeout`: seconds, more than none. No call of the engine that the command makes takes longer."""

    def bound(context: click.Context, parameter: click.Parameter, seconds: float) -> float:
        context.with_resource(engine.within(seconds))
        return seconds

    return click.option(
        "--timeout",
        default=default,
        show_default=True,
        type=click.FloatRange(min=0, min_open=True),
        callback=bound,
        help=help,
    )


@contextmanager
def reporting(
    requests: Sequence[ReportRequest], stack: str, verb: Verb, produced_by: Producer
) -> Iterator[None]:
    """Have the reports that were asked for say it when the block cannot answer; that is raised."""
    try:
        yield
    except BROKEN as error:
        why = in_words(stack, error)
        reports.write(requests, [stopped(stack, verb, why, produced_by)])
        raise why from None


def console() -> Console:
    """Standard output for tables: as wide as the terminal; wide enough for every row where there is none."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_WIDTH_OF_LOGS)
