"""`crossmesh drift`."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime

import click

from access.paths import project_root, stack_file
from access.producer import producer
from live.drift import judge, run
from operations.commands import HELP
from operations.commands.interrupts import each_stack
from operations.commands.options import exit_codes, report_option, stacks_option, timeout_option
from report import formats as reports
from report.errors import OperationsError
from report.examination import Examination
from report.exit_codes import ExitCode, worst
from report.progress import Say
from report.verdict import stopped


@click.command(context_settings=HELP)
@stacks_option
@report_option
@click.option("--strict", is_flag=True, help="What cannot be measured is a failure (exit code 11).")
@click.option(
    "--layer",
    "layers",
    multiple=True,
    type=click.Choice(judge.LAYERS),
    help="Look at this layer only; several times for several. Without any: all.",
)
@timeout_option(run.DriftOptions.timeout, "Seconds for each stack, with reading its state.")
@exit_codes(ExitCode.UNEXPECTED_CHANGES, ExitCode.NOT_MEASURABLE, ExitCode.LOCKED)
def drift(
    stacks: tuple[str, ...], wanted: tuple[str, ...], strict: bool, layers: tuple[str, ...], timeout: float
) -> None:
    """Compare clusters, hosts, DNS and certificates with what was applied. Nothing is touched.

    What cannot be reached is not measurable, and never taken for gone. Of
    several stacks it ends with the worst code.
    """
    root = project_root()
    names = sorted(set(stacks))
    requests = reports.requests(wanted, names)
    for name in names:
        stack_file(name)
    chosen = layers or judge.LAYERS
    options = run.DriftOptions(now=datetime.now(UTC), layers=chosen, strict=strict, timeout=timeout)
    produced_by = producer(root)
    end = threading.Event()

    def examine(name: str, say: Say) -> Examination:
        return run.drift(root, name, options, say, end)

    def broken(name: str, error: OperationsError) -> Examination:
        return stopped(name, "drift", error, produced_by)

    examinations = each_stack(names, examine, broken, end)
    reports.write(requests, examinations)
    sys.exit(worst([examination.verdict.code for examination in examinations]))
