"""`crossmesh up`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path

import click

from access.paths import project_root, stack_file
from access.producer import producer
from gate.preview import interrupt_all
from gate.seal import up as sealed_up
from gate.seal.apply import Apply, Stop
from gate.seal.sealed import SealedPlan
from gate.seal.steps import Step
from operations.commands import HELP
from operations.commands.interrupts import interrupts
from operations.commands.options import exit_codes, report_option, stack_option, timeout_option
from report import formats as reports
from report.errors import ConfigurationError
from report.examination import Examination
from report.exit_codes import ExitCode
from report.model import Op, Risk
from report.progress import Progress
from report.verdict import BROKEN, in_words, stopped

_PLAN = click.Path(exists=True, dir_okay=False, path_type=Path)
_NO_PLAN = (
    "--plan FILE is missing. `crossmesh up` applies what was reviewed; `crossmesh gate --stack NAME "
    "--seal FILE` seals it. To apply what is declared without a review: `pulumi up --stack NAME`."
)
_SHOWN = 10


@click.command(context_settings=HELP)
@stack_option
@click.option("--plan", "path", type=_PLAN, metavar="FILE", help="The plan that `gate --seal FILE` wrote.")
@click.option("--sha256", "expected", default="", metavar="HEX", help="Refuse a file with another SHA-256.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@report_option
@timeout_option(7200.0, "Seconds until no new step is begun.")
@exit_codes(ExitCode.STALE, ExitCode.LOCKED)
def up(
    stack: str, path: Path | None, expected: str, yes: bool, wanted: tuple[str, ...], timeout: float
) -> None:
    """Apply a sealed plan: exactly what was reviewed, to exactly what it was reviewed for.

    Nothing is applied if something differs from what was sealed. Whatever happens, it says at the end what
    was applied by then and what was not.
    """
    if path is None:
        raise ConfigurationError(_NO_PLAN)
    if not yes and not _can_ask():
        raise ConfigurationError("nobody can be asked here: say --yes to apply the plan.")
    stack_file(stack)
    root = project_root()
    requests = reports.requests(wanted, [stack]) if wanted else ()
    produced_by = producer(root)
    digest = ""
    aim = _Interrupts()
    try:
        with interrupts(aim), Progress(sys.stderr) as progress:
            plan, digest = sealed_up.open_plan(path, expected)
            sealed_up.verify(root, stack, plan, date.today())
            if not yes:
                click.echo("\n".join(summary(plan, digest)), err=True)
                if not click.confirm("Apply it?", err=True):
                    click.echo("Not applied.", err=True)
                    sys.exit(ExitCode.CANCELLED)
            found = sealed_up.up(
                root,
                plan,
                timeout=timeout,
                say=partial(progress.say, stack),
                on_step=_tell,
                applying=aim.at,
                produced_by=produced_by,
                digest=digest,
            )
    except BROKEN as error:
        words = in_words(stack, error)
        found = stopped(stack, "up", words, produced_by, rule=sealed_up.RULE, sealed=digest)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted. Nothing was applied.", err=True)
        sys.exit(ExitCode.CANCELLED)
    _conclude(found, written=bool(wanted))
    reports.write(requests, [found])
    sys.exit(found.verdict.code)


def _can_ask() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def summary(plan: SealedPlan, digest: str) -> list[str]:
    """What a plan is and does, in a few lines, for whoever is asked."""
    bound = plan.bound
    counts = ", ".join(
        f"{number} to {op}" for op in Op if (number := sum(change.op is op for change in plan.changes))
    )
    commit = next(iter(bound.facts["commit"].values()), "")  # type: ignore[index]
    lines = [
        f"Sealed plan for stack {plan.stack}, SHA-256 {digest}",
        f"  commit    {commit}",
        f"  state     {bound.state.written or 'empty: nothing was applied so far'}",
        f"  changes   {counts or 'none'}",
    ]
    lines += _list("files that differ from the commit", bound.dirty)
    steps = [
        f"{Step(change.op, change.urn)}{' (approved)' if change.approved else ''}"
        for change in plan.changes
        if change.risk is Risk.DESTRUCTIVE
    ]
    lines += _list("destructive", steps)
    lines += _list(
        "waived", [f"{waiver.rule} for {waiver.resource}, by {waiver.owner}" for waiver in plan.waivers]
    )
    return lines


def _list(title: str, entries: Sequence[str]) -> list[str]:
    if not entries:
        return []
    more = [f"    and {len(entries) - _SHOWN} more"] if entries[_SHOWN:] else []
    return [f"  {title}:", *(f"    {entry}" for entry in entries[:_SHOWN]), *more]


def _tell(step: Step) -> None:
    # The line that tells what is done now is overwritten; this one stays.
    with suppress(OSError):  # that nobody can hear it any more stops no work
        click.echo(("\r\x1b[K" if sys.stderr.isatty() else "") + f"done: {step}", err=True)


def _conclude(found: Examination, written: bool) -> None:
    """Say how it ended: on standard output where no report was asked for, and what went wrong in any case."""
    if found.verdict.code is not ExitCode.CLEAN:
        (finding,) = found.findings
        fix = f"\n  fix: {finding.fix}" if finding.fix else ""
        click.echo(f"Error: {finding.message}{fix}", err=True)
    elif not written:
        click.echo(f"stack {found.stack}: {found.verdict.words}")


class _Interrupts:
    """Where an interrupt goes: to the engine that applies, if there is one."""

    def __init__(self) -> None:
        self._applying: Apply | None = None

    def at(self, applying: Apply | None) -> None:
        """Take the run that interrupts stop from now on, or none."""
        self._applying = applying

    def __call__(self) -> None:
        if self._applying is None:
            interrupt_all()
            raise KeyboardInterrupt
        click.echo("Interrupted: what runs is told to end. Once more, and it is dropped as it is.", err=True)
        self._applying.stop(Stop.INTERRUPTED)
