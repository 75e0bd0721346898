"""`crossmesh doctor`."""

from __future__ import annotations

import json
import sys

import click

from live.doctor import report
from live.doctor.examine import examine
from live.doctor.platform import open_platform
from live.doctor.progress import Progress
from operations.commands.options import console, stack_option
from report.errors import FAILED


@click.command()
@stack_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON as live/doctor/schema.json describes it.")
@click.option("--details", is_flag=True, help="Print every single measurement below its check.")
def doctor(stack: str, as_json: bool, details: bool) -> None:
    """Measure every link of the chain from the name to the pod, and explain the one that is broken.

    Exit code 0 when every check is ok; 1 when one failed or could not be measured.
    """
    with open_platform(stack) as platform, Progress(sys.stderr) as progress:
        examination = examine(platform, progress.ended, progress.waiting)
    for words in examination.leftovers:
        click.echo(words, err=True)
    results = examination.results
    if as_json:
        click.echo(
            json.dumps(report.as_json(stack, examination.started, examination.seconds, results), indent=2)
        )
    else:
        report.print_table(console(), results, examination.seconds, details=details)
    if not report.is_healthy(results):
        sys.exit(FAILED)
