"""`crossmesh rehearse`."""

from __future__ import annotations

import sys
from functools import partial

import click

from access.paths import project_root, stack_file
from access.producer import producer
from operations.commands import HELP
from operations.commands.options import exit_codes, report_option, reporting, stack_option
from rehearsal import drive, report
from rehearsal.objects import Objects
from report import formats as reports
from report.errors import ConfigurationError
from report.exit_codes import ExitCode
from report.progress import Progress
from runbooks.catalogue import runbook


@click.command(context_settings=HELP)
@click.argument("change", metavar="up|RUNBOOK")
@click.argument("values", nargs=-1, metavar="[PARAMETER=VALUE]...")
@stack_option
@click.option(
    "--base",
    metavar="REF",
    help="The commit whose declaration the twin begins with; `up` then leads to the working tree's.",
)
@click.option(
    "--approve",
    multiple=True,
    metavar="PATTERN",
    help="Destructive changes that are meant, as of `crossmesh gate`.",
)
@click.option(
    "--rate",
    default=drive.Order.rate,
    show_default=True,
    type=click.FloatRange(min=0.1, max=200),
    help="Requests that clients send in a second.",
)
@click.option(
    "--allow-failed",
    "allowed",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Failed requests that are accepted.",
)
@click.option(
    "--objects",
    multiple=True,
    metavar="[REGION=]PATH",
    help="Manifests or a kustomization of what others manage in the clusters, applied before the change; "
    "can be given several times.",
)
@click.option("--keep", is_flag=True, help="Leave the twin running, and say how to look at it and end it.")
@report_option
@exit_codes(ExitCode.POLICY)
def rehearse(
    change: str,
    values: tuple[str, ...],
    stack: str,
    base: str | None,
    approve: tuple[str, ...],
    rate: float,
    allowed: int,
    objects: tuple[str, ...],
    keep: bool,
    wanted: tuple[str, ...],
) -> None:
    """Try a change, or a runbook, on a scaled-down twin of the environment in the lab, with clients on it.

    The twin has the same regions, releases, policies and exposure, fewer nodes, and addresses of its own on
    this computer; what it cannot have is named. Nothing of the environment is connected to: neither its
    state, nor its hosts, nor its secrets. Needs root and the lab, as `make up` does; takes about ten minutes.
    """
    if change == drive.UP:
        if base is None:
            raise ConfigurationError(
                "--base REF is missing: the commit whose declaration is changed, for example origin/main."
            )
        if values:
            raise ConfigurationError(f"{values[0]}: `up` takes no parameters; runbooks do.")
    else:
        runbook(change)
        if approve:
            raise ConfigurationError("--approve is for `up`: a runbook asks for what it touches itself.")
    stack_file(stack)
    brought = tuple(Objects.of(text) for text in objects)
    requests = reports.requests(wanted, [stack])
    root = project_root()
    produced_by = producer(root, base)
    order = drive.Order(stack, change, values, base, approve, rate, keep, brought)
    with reporting(requests, stack, "rehearse", produced_by), Progress(sys.stderr) as progress:
        course = drive.rehearse(root, order, partial(progress.say, stack))
    examination = report.examination(stack, course, allowed, produced_by)
    reports.write(requests, [examination])
    if course.kept:
        click.echo(f"The twin stays: {course.kept}.", err=True)
    sys.exit(examination.verdict.code)
