"""`crossmesh runbook`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from operations.commands import HELP
from operations.commands.options import console, exit_codes, stack_option
from report.errors import CancelledError, ConfigurationError, OperationsError
from report.exit_codes import ExitCode
from runbooks import drive
from runbooks import journal as journals
from runbooks.catalogue import RUNBOOKS
from runbooks.catalogue import runbook as named
from runbooks.drive import Plan
from runbooks.history import Past, runs

_json_option = click.option("--json", "as_json", is_flag=True, help="The same as JSON.")


@click.group(context_settings=HELP)
def runbook() -> None:
    """Operations on what runs, step by step: what each touches is said first, and a killed run goes on."""


@runbook.command("list", context_settings=HELP)
@_json_option
@exit_codes(engine=False)
def list_(as_json: bool) -> None:
    """Name all runbooks."""
    if as_json:
        click.echo(json.dumps([_described(one) for one in RUNBOOKS], indent=2))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for one in RUNBOOKS:
        table.add_row(Text(one.name, "bold"), one.title)
    console().print(table)


@runbook.command(context_settings=HELP)
@click.argument("name")
@_json_option
@exit_codes(engine=False)
def show(name: str, as_json: bool) -> None:
    """Show what a runbook does: its parameters and steps, and which of them cannot be taken back."""
    one = named(name)
    if as_json:
        click.echo(json.dumps(_described(one), indent=2))
        return
    click.echo(f"{one.name}: {one.title}\n{one.says}\n")
    for parameter in one.parameters:
        default = "" if parameter.default is None else f" (default: {parameter.default or 'none'})"
        click.echo(f"  {parameter.name}=…  {parameter.says}{default}")
    click.echo()
    for number, step in enumerate(one.steps, 1):
        back = f"one way: {step.one_way}" if step.one_way else "can be taken back" if step.undo else "stays"
        click.echo(f"  {number}. {step.name}: {step.says} ({back})")


@runbook.command(context_settings=HELP)
@click.argument("name")
@click.argument("values", nargs=-1, metavar="[PARAMETER=VALUE]...")
@stack_option
@click.option(
    "--dry-run", is_flag=True, help="Say what it would do and what stands against it; change nothing."
)
@click.option("--yes", is_flag=True, help="Do not ask for the name of what is touched.")
@exit_codes(ExitCode.NEEDS_APPROVAL, ExitCode.LOCKED)
def run(name: str, values: Sequence[str], stack: str, dry_run: bool, yes: bool) -> None:
    """Run a runbook: say what it touches, have that confirmed, and do it step by step.

    A run that fails takes back what it did, where the runbook says so. One that is interrupted or killed
    stands where it is: `resume` goes on, `abort` takes it back.
    """
    with drive.opened(name, stack, _pairs(values)) as (book, site, given):
        plan = drive.plan(book, site, given, journals.read(journals.home(stack)))
        _show(plan)
        if plan.blocked:
            raise _against(plan)
        if dry_run:
            return
        drive.run(book, site, given, stack, _confirmed(plan, yes), _tell)
    click.echo(f"{name}: done", err=True)


@runbook.command(context_settings=HELP)
@stack_option
@exit_codes(ExitCode.LOCKED)
def resume(stack: str) -> None:
    """Go on with the run that was killed, interrupted, or failed and stands where it is."""
    past = drive.resume(stack, _tell)
    click.echo(f"{past.runbook}: done", err=True)


@runbook.command(context_settings=HELP)
@stack_option
@exit_codes(ExitCode.LOCKED)
def abort(stack: str) -> None:
    """Take back what the unfinished run did."""
    past, stays = drive.abort(stack, _tell)
    for one in stays:
        click.echo(f"stays: {one}", err=True)
    click.echo(f"{past.runbook}: taken back", err=True)


@runbook.command(context_settings=HELP)
@stack_option
@_json_option
@exit_codes()
def history(stack: str, as_json: bool) -> None:
    """List all runs of a stack, and see that nobody changed the journal."""
    found = runs(journals.read(journals.home(stack)))
    if as_json:
        click.echo(json.dumps([_of_past(past) for past in found], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("run", "began (UTC)", "runbook", "", "by", "took", "ended"):
        table.add_column(column)
    for past in found:
        given = " ".join(f"{key}={value}" for key, value in past.values.items() if value)
        ended = (
            past.outcome.value if past.outcome else f"unfinished{f': {past.trouble}' if past.trouble else ''}"
        )
        style = "" if past.outcome else "bold red"
        table.add_row(
            past.run,
            f"{past.began:%Y-%m-%d %H:%M:%S}",
            past.runbook,
            given,
            past.by,
            f"{past.seconds:.0f} s",
            Text(ended, style),
        )
    console().print(table)


def _pairs(values: Sequence[str]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    wrong = [name for name, sign, _ in pairs if not sign or not name]
    if wrong:
        raise ConfigurationError(f"{wrong[0]} is no parameter", fix="write it as name=value")
    return {name: value for name, _, value in pairs}


def _show(plan: Plan) -> None:
    _tell(f"{plan.runbook.title}:")
    for touched in plan.blast.touched:
        _tell(f"  {touched}")
    for problem in plan.problems:
        word = "against it" if problem.blocks else "to know"
        fix = f"\n    fix: {problem.fix}" if problem.fix else ""
        accept = f" (accept={problem.kind})" if problem.blocks and problem.kind else ""
        _tell(f"  {word}: {problem.what}{accept}{fix}")
    for step, says, lacking in plan.due:
        _tell(f"  step {step}: {says}" if lacking else f"  step {step}: so already")
    took = (
        f"about {plan.seconds:.0f} s, by {plan.earlier} earlier runs here"
        if plan.earlier
        else "not known yet"
    )
    _tell(f"  time: {took}")


def _against(plan: Plan) -> OperationsError:
    """Why it does not begin, in the last words too: of what is shown, a report keeps the end."""
    first, *others = [problem for problem in plan.problems if problem.blocks]
    more = f"; {len(others)} more of what stands against it is above" if others else ""
    return OperationsError(f"{plan.runbook.name} does not begin: {first.what}{more}", fix=first.fix)


def _confirmed(plan: Plan, yes: bool) -> str:
    if yes:
        return "--yes"
    if not sys.stdin.isatty():
        raise OperationsError(
            "nobody is there to confirm it", fix="look at what it touches with --dry-run, then give --yes"
        )
    typed = str(click.prompt(f"Type {plan.blast.confirm} to go on", default="", show_default=False, err=True))
    if typed != plan.blast.confirm:
        raise CancelledError("not confirmed: nothing was changed.")
    return typed


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _described(one: Any) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.title,
        "says": one.says,
        "parameters": [asdict(parameter) for parameter in one.parameters],
        "steps": [
            {"name": step.name, "says": step.says, "undo": step.undo is not None, "oneWay": step.one_way}
            for step in one.steps
        ],
        "takesBack": one.takes_back,
    }


def _of_past(past: Past) -> dict[str, Any]:
    return {
        "run": past.run,
        "runbook": past.runbook,
        "values": dict(past.values),
        "by": past.by,
        "began": past.began.isoformat(),
        "seconds": round(past.seconds, 1),
        "confirmed": past.confirmed,
        "outcome": past.outcome.value if past.outcome else None,
        "trouble": past.trouble,
        "steps": {step: round(seconds, 1) for step, seconds in past.reached.items()},
    }
