"""`crossmesh gate`."""

from __future__ import annotations

import gc
import sys
import threading
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import click

from access.paths import project_root, stack_file
from access.producer import producer
from gate import run
from gate.model import GateOptions, GateResult
from gate.preview import interrupt_all
from operations.commands import HELP
from operations.commands.interrupts import each_stack
from operations.commands.options import exit_codes, report_option, stacks_option, timeout_option
from report import formats as reports
from report.errors import ConfigurationError, OperationsError
from report.exit_codes import ExitCode, worst
from report.progress import Say
from report.verdict import stopped

_DIRECTORY = click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(context_settings=HELP)
@stacks_option
@click.option("--base", metavar="REF", help="The commit that the change is made to, for example origin/main.")
@report_option
@click.option("--policy-pack", "packs", multiple=True, type=_DIRECTORY, help="A policy pack of your own.")
@click.option(
    "--approve",
    multiple=True,
    metavar="PATTERN",
    help="Destructive changes that are meant: URN, TYPE::NAME or name; '*' and '?' stand for others.",
)
@click.option("--strict", is_flag=True, help="What cannot be measured stops the change (exit code 11).")
@click.option("--expect-no-changes", is_flag=True, help="Any change stops (exit code 7).")
@click.option("--hermetic", is_flag=True, help="Leave the state's backend alone, as if it had no stack.")
@click.option("--drift", is_flag=True, help="Also say what is live and not as it was applied.")
@click.option(
    "--seal", "sealed", type=_FILE, metavar="FILE", help="Write a sealed plan for `up --plan FILE`."
)
@timeout_option(1800.0, "Seconds for each run of the engine.")
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day by which waivers and support end. Default: today's date.",
)
@exit_codes(*set(ExitCode) - {ExitCode.UNHEALTHY})
def gate(
    stacks: tuple[str, ...],
    base: str | None,
    wanted: tuple[str, ...],
    packs: tuple[Path, ...],
    approve: tuple[str, ...],
    strict: bool,
    expect_no_changes: bool,
    hermetic: bool,
    drift: bool,
    sealed: Path | None,
    timeout: float,
    today: date | None,
) -> None:
    """Say what a change will do to environments, and whether it may. Nothing is touched.

    Needs nothing to talk to: neither a state, nor clusters, nor hosts. Where it can reach them it says more.

    Of several stacks it ends with the worst code.
    """
    # What previews say is kept to the end; looking through it for garbage again and again took a third of
    # the time.
    gc.set_threshold(100_000, 50, 50)
    root = project_root()
    names = sorted(set(stacks))
    requests = reports.requests(wanted, names)
    if sealed is not None and len(names) > 1:
        raise ConfigurationError(
            "--seal takes one stack: a plan is applied to one. Seal the stacks one by one."
        )
    if sealed is not None and hermetic:
        raise ConfigurationError(
            "--seal needs the stack's state and secrets, which --hermetic leaves alone. Leave one out."
        )
    if drift and hermetic:
        raise ConfigurationError(
            "--drift looks at what is live, which --hermetic forbids. Leave one of them out."
        )
    if sealed is not None:
        # Few gates seal: what makes seals is loaded for them alone.
        from gate.seal.binding import bind
        from gate.seal.sealed import make_room, seal

        make_room(sealed)
    for name in names:
        stack_file(name)
    produced_by = producer(root, base)
    options = GateOptions(
        produced_by=produced_by,
        today=today.date() if today else date.today(),  # type: ignore[attr-defined]
        base=base,
        packs=packs,
        approve=approve,
        strict=strict,
        expect_no_changes=expect_no_changes,
        hermetic=hermetic,
        plan=sealed is not None,
        timeout=timeout,
    )
    bound = bind(root, names[0], packs) if sealed is not None else None
    end = threading.Event()

    def examine(name: str, say: Say) -> GateResult:
        result = run.gate(root, name, options, say)
        if not drift:
            return result
        # It stands on libraries that take a second to load, and is seldom asked for.
        from live.drift.beside import with_drift
        from live.drift.run import DriftOptions

        live = DriftOptions(datetime.now(UTC), strict=strict, timeout=min(timeout, DriftOptions.timeout))
        told = with_drift(root, result.examination, live, say, end, expect_no_changes=expect_no_changes)
        return replace(result, examination=told)

    def broken(name: str, error: OperationsError) -> GateResult:
        return GateResult(stopped(name, "gate", error, produced_by))

    results = each_stack(names, examine, broken, end, interrupt_all)
    if sealed is not None and bound is not None:
        results = [seal(root, sealed, results[0], options, bound)]
    examinations = [result.examination for result in results]
    reports.write(requests, examinations)
    # Nor is it worth a look when all of it ends.
    gc.freeze()
    sys.exit(worst([examination.verdict.code for examination in examinations]))
