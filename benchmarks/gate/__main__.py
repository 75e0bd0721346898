"""Measure the gate beside plain `pulumi preview`: `python -m benchmarks.gate` (root, activated environment).

For the reference stack and for generated platforms of growing size, nothing of which exists: `pulumi preview`
as a pipeline calls it, and `crossmesh gate --hermetic` with every report, in turn, on the same checkout, with
no network. Figures are only worth something on a machine that does nothing else. Writes JSON and pictures to
`docs/benchmarks/`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks.gate import picture
from benchmarks.gate.measure import MeasureError, measure, result
from benchmarks.gate.site import REFERENCE, Site, leave_network, stack_name
from stacks.load import load_stack, stack_path
from tests.lab.acceptance import results
from tests.lab.site import ROOT


def _numbers(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        return sorted({int(word) for word in value.split(",")})
    except ValueError:
        raise click.BadParameter("numbers with commas between them, for example 2,10,50") from None


@click.command()
@click.option(
    "--sizes",
    default="2,5,10,20,32,50",
    show_default=True,
    callback=_numbers,
    help="Clusters of the generated platforms.",
)
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1), help="Runs of each that count.")
@click.option(
    "--output", default=ROOT / "docs" / "benchmarks", type=click.Path(path_type=Path), show_default=True
)
def main(sizes: list[int], runs: int, output: Path) -> None:
    """Measure the gate beside plain `pulumi preview`, and write figures and pictures."""
    if shutil.which("pulumi") is None:
        raise click.ClickException('pulumi is not on PATH. Activate the environment: eval "$(make -s env)".')
    try:
        leave_network()
    except OSError as error:
        raise click.ClickException(f"{error}. Run it as root.") from None
    regions = load_stack(stack_path(REFERENCE, ROOT)).environment.regions
    stacks = [(REFERENCE, len(regions)), *((stack_name(size), size) for size in sizes)]
    platforms = []
    with tempfile.TemporaryDirectory(prefix="crossmesh-benchmark-") as name:
        directory = Path(name)
        site = Site.make(ROOT, directory, sizes)
        for stack, clusters in stacks:
            place = directory / stack
            place.mkdir()
            try:
                found = measure(site, stack, clusters, place, runs, lambda words: click.echo(words, err=True))
            except MeasureError as error:
                raise click.ClickException(str(error)) from None
            platforms.append(result(found))
    document = {
        "benchmark": "gate",
        "finishedAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": results.commit(),
        "machine": results.machine(),
        "gate": "crossmesh gate --hermetic, five reports (JSON, Markdown, SARIF, JUnit, terminal)",
        "peer": "pulumi preview --non-interactive, human output, in a copy of the same checkout",
        "network": "loopback only",
        "runs": runs,
        "reference": REFERENCE,
        "platforms": platforms,
    }
    output.mkdir(parents=True, exist_ok=True)
    (output / "gate.json").write_text(json.dumps(document, indent=2) + "\n")
    for ending in ("svg", "png"):
        picture.draw(document, output / f"gate.{ending}")
    click.echo(f"wrote {output}/gate.json, .svg, .png")


if __name__ == "__main__":
    main()
