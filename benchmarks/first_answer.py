"""Time from nothing to the first answer: `python -m benchmarks.first_answer --against COMMIT --caches DIR`.

Each build is cloned, has caches of its own, and measures itself by its own `benchmarks.bring_up`, in turn
with the other one. Programs are built first and do not count. Some five minutes for each run, and half an
hour before the first for a build whose programs must be compiled; root; figures are only worth something on
a machine that does nothing else. Writes JSON to `docs/benchmarks/first-answer.json`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmarks.beside import clone, write
from tests.lab.acceptance import results
from tests.lab.site import ROOT


def shell(script: str, checkout: Path, cache: Path) -> None:
    """Run a script in a build's own environment; its words go to standard error."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "PYTHON"))}
    environment = {**kept, "XDG_CACHE_HOME": str(cache)}
    subprocess.run(["bash", "-euc", script], cwd=checkout, env=environment, stdout=2, check=True)


def once(build: str, checkout: Path, cache: Path, output: Path) -> dict[str, float]:
    """Figures of one bring-up."""
    script = f'eval "$(make -s env)"; python -m benchmarks.bring_up --name test-{build} --output {output}'
    shell(script, checkout, cache)
    found = json.loads((output / "bring-up.json").read_text())
    steps = {step["name"]: step["seconds"] for step in found["steps"]}
    return {
        "firstAnswer": found["firstAnswerSeconds"],
        "up": steps["pulumi up"],
        "secondUp": found["secondUpSeconds"],
    }


@click.command()
@click.option("--against", required=True, help="Commit of the earlier build.")
@click.option("--runs", default=5, show_default=True, type=click.IntRange(1), help="Runs of each.")
@click.option(
    "--caches",
    required=True,
    type=click.Path(path_type=Path),
    help="Directory for checkouts and caches of both; kept, so that a next time compiles nothing.",
)
@click.option(
    "--output", default=ROOT / "docs" / "benchmarks", type=click.Path(path_type=Path), show_default=True
)
def main(against: str, runs: int, caches: Path, output: Path) -> None:
    """Measure this build beside an earlier one, and write the figures."""
    commits = {"earlier": against, "now": results.commit()}
    places: dict[str, tuple[Path, Path, Path]] = {}
    for build, commit in commits.items():
        place = caches.resolve() / commit
        checkout = place / "checkout"
        if not checkout.exists():
            place.mkdir(parents=True, exist_ok=True)
            clone(commit, checkout)
        places[build] = checkout, place / "cache", place / "figures"
        shell("make toolchain", *places[build][:2])
    taken: dict[str, list[dict[str, float]]] = {build: [] for build in commits}
    for _ in range(runs):
        for build, (checkout, cache, figures) in places.items():
            taken[build].append(once(build, checkout, cache, figures))
            click.echo(f"{taken[build][-1]['firstAnswer']:7.1f} s  {build}", err=True)
    medians: dict[str, Any] = {
        build: {key: round(median(one[key] for one in found), 1) for key in found[0]}
        for build, found in taken.items()
    }
    write("first_answer", output, commits, medians, runs=taken, medianSeconds=medians)


if __name__ == "__main__":
    main()
