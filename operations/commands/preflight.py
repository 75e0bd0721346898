"""`crossmesh preflight`."""

from __future__ import annotations

import sys
import time

import click

from access.paths import project_root, stack_file
from access.producer import producer
from gate.effects.sources import open_sources
from live import hosts
from live.doctor.report import print_table
from live.state import read_stack
from operations.commands import HELP
from operations.commands.options import (
    console,
    exit_codes,
    host_option,
    report_option,
    reporting,
    stack_option,
)
from report import formats as reports
from report.exit_codes import ExitCode
from report.progress import Progress


@click.command(context_settings=HELP)
@stack_option
@host_option
@report_option
@click.option("--json", "as_json", is_flag=True, help="The same as --report json=-.")
@click.option("--details", is_flag=True, help="Print also what is as it should be.")
@exit_codes(ExitCode.NOT_MEASURABLE, ExitCode.POLICY)
def preflight(
    stack: str, only: tuple[str, ...], wanted: tuple[str, ...], as_json: bool, details: bool
) -> None:
    """Look at hosts before anything is changed on them: who lives there, and what would come of it.

    `up` does the same for the hosts that it changes, and changes none when one of them is refused.
    """
    if as_json:
        wanted = (*wanted, "json=-")
    requests = reports.requests(wanted, [stack], terminal=False)
    produced_by, began = producer(project_root()), time.monotonic()
    with reporting(requests, stack, "preflight", produced_by), Progress(sys.stderr) as progress:
        found = hosts.ways(read_stack(stack_file(stack)), only)
        results = hosts.preflight(found, lambda words: progress.say(stack, words))
    sources = open_sources(stack_file(stack), project_root())
    examination = hosts.examination(stack, results, produced_by, sources)
    if not any(request.to_standard_output for request in requests):
        rows = results if details else hosts.condensed(results)
        print_table(console(), rows, time.monotonic() - began)
        click.echo(examination.verdict.words)
    reports.write(requests, [examination])
    sys.exit(examination.verdict.code)
