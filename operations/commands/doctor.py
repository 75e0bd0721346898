"""`crossmesh doctor`."""

from __future__ import annotations

import sys
import time

import click

from access.paths import project_root, stack_file
from access.producer import producer
from gate.effects.sources import open_sources
from live.doctor import report
from live.doctor.platform import open_platform
from live.examine import examine
from operations.commands import HELP
from operations.commands.options import console, exit_codes, report_option, reporting, stack_option
from report import formats as reports
from report.exit_codes import ExitCode
from report.progress import Progress


@click.command(context_settings=HELP)
@stack_option
@report_option
@click.option("--json", "as_json", is_flag=True, help="The same as --report json=-.")
@click.option("--details", is_flag=True, help="Print every single measurement below its check.")
@click.option("--all", "every", is_flag=True, help="Tell in full also of checks that follow from a cause.")
@exit_codes(ExitCode.NOT_MEASURABLE, ExitCode.UNHEALTHY)
def doctor(stack: str, wanted: tuple[str, ...], as_json: bool, details: bool, every: bool) -> None:
    """Measure every link of the chain from the name to the pod, and say first what broke.

    The first line names the cause; what follows from it is folded under it. Below stand all checks.
    """
    if as_json:
        wanted = (*wanted, "json=-")
    requests = reports.requests(wanted, [stack], terminal=False)
    produced_by, began = producer(project_root()), time.monotonic()
    with (
        reporting(requests, stack, "doctor", produced_by),
        open_platform(stack) as platform,
        Progress(sys.stderr) as progress,
    ):
        results, leftovers = examine(platform, lambda words: progress.say(stack, words))
    for words in leftovers:
        click.echo(words, err=True)
    if not any(request.to_standard_output for request in requests):
        out = console()
        report.print_causes(out, stack, results, every=every)
        report.print_table(out, results, time.monotonic() - began, details=details, every=every)
    sources = open_sources(stack_file(stack), project_root())
    examination = report.examination(stack, results, produced_by, sources)
    reports.write(requests, [examination])
    sys.exit(examination.verdict.code)
