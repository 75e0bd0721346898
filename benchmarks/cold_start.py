"""Measure the toolchain built from nothing: `python -m benchmarks.cold_start --against COMMIT`.

Each build is cloned and runs its own `python -m toolchain install` with an empty cache of Go's and an empty
store, in turn with the other one. Both read the same cache of modules, which a first, unmeasured step fills:
the network does not count. Some 20 minutes of both cores for each run; figures are only worth something on a
machine that does nothing else. Writes JSON to `docs/benchmarks/cold-start.json`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmarks import process_tree
from benchmarks.beside import clone, write
from tests.lab.acceptance import results
from tests.lab.site import ROOT

_TIMEOUT = 3 * 3600


def fill(checkout: Path) -> None:
    """Have every module of a build in Go's cache of modules."""
    for go_mod in sorted((checkout / "toolchain" / "modules").glob("*/go.mod")):
        subprocess.run(["go", "mod", "download"], cwd=go_mod.parent, stdout=2, check=True)


def once(build: str, checkout: Path, directory: Path) -> process_tree.Usage:
    """Install a build's toolchain with nothing compiled yet."""
    with tempfile.TemporaryDirectory(dir=directory) as name:
        cache = Path(name)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        environment |= {
            "XDG_CACHE_HOME": str(cache / "cache"),
            "GOCACHE": str(cache / "compiled"),
            "PYTHONPATH": str(checkout),
        }
        usage = process_tree.run(
            [sys.executable, "-m", "toolchain", "install"],
            directory=checkout,
            environment=environment,
            stdout=directory / "words",
            timeout=_TIMEOUT,
        )
    if usage.code:
        raise click.ClickException(
            f"the toolchain of {build} ended with {usage.code}:\n{usage.output[-2000:]}"
        )
    click.echo(
        f"{usage.seconds:7.0f} s, {usage.processor_seconds:6.0f} s of processor, "
        f"{usage.peak_bytes / 2**30:.1f} GiB  {build}",
        err=True,
    )
    return usage


def figures(runs: list[process_tree.Usage]) -> dict[str, float]:
    """The median of several runs; of the memory, the most."""
    return {
        "seconds": round(median(run.seconds for run in runs), 1),
        "processorSeconds": round(median(run.processor_seconds for run in runs), 1),
        "peakGiB": round(max(run.peak_bytes for run in runs) / 2**30, 2),
    }


@click.command()
@click.option("--against", required=True, help="Commit of the earlier build.")
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1), help="Runs of each.")
@click.option(
    "--output", default=ROOT / "docs" / "benchmarks", type=click.Path(path_type=Path), show_default=True
)
def main(against: str, runs: int, output: Path) -> None:
    """Measure this build beside an earlier one, and write the figures."""
    commits = {"earlier": against, "now": results.commit()}
    taken: dict[str, list[process_tree.Usage]] = {build: [] for build in commits}
    with tempfile.TemporaryDirectory(prefix="crossmesh-cold-") as name:
        place = Path(name)
        checkouts = {build: clone(commit, place / build) for build, commit in commits.items()}
        for checkout in checkouts.values():
            fill(checkout)
        for _ in range(runs):
            for build, checkout in checkouts.items():
                taken[build].append(once(build, checkout, place))
    measured: dict[str, Any] = {build: figures(found) for build, found in taken.items()}
    write("cold_start", output, commits, measured, runs=runs, **measured)


if __name__ == "__main__":
    main()
