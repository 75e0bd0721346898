"""Measure this build beside an earlier one: `python -m benchmarks.beside --against COMMIT` (root).

Each build is cloned and brings up the lab by its own `make up`. On the running platform, with nothing to do,
`pulumi up`, `pulumi preview` and `crossmesh gate` run in turn. Then each `benchmarks.gate` measures its
gate of platforms that do not exist. Figures are only worth something on a machine that does nothing else.
Writes JSON to `docs/benchmarks/beside.json`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import click

from tests.lab.acceptance import results
from tests.lab.site import ROOT

_STACK = "lab"
_COMMANDS = {
    "secondUp": ["pulumi", "up", "--stack", _STACK, "--yes", "--skip-preview", "--expect-no-changes"],
    "preview": ["pulumi", "preview", "--stack", _STACK],
    "gate": ["crossmesh", "gate", "--stack", _STACK],
}


def clone(commit: str, directory: Path) -> Path:
    """A checkout of a commit of this repository."""
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(directory)], check=True)
    subprocess.run(["git", "checkout", "--quiet", commit], cwd=directory, check=True)
    return directory


def _outside() -> dict[str, str]:
    """The environment without what leads to the build that measures."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "PYTHON"))}


def environment(checkout: Path) -> dict[str, str]:
    """What a build's programs and its lab are reached by."""
    script = (
        'python="$(sh toolchain/venv.sh make)/bin/python"; export PYTHONPATH="$PWD"; '
        'eval "$("$python" -m toolchain env)"; eval "$("$python" -m lab env)"; env -0'
    )
    done = subprocess.run(
        ["sh", "-c", script], cwd=checkout, env=_outside(), stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(entry.split("=", 1) for entry in done.stdout.split("\0") if "=" in entry)


def make(target: str, checkout: Path) -> None:
    """Have make do what a target says; its words go to standard error."""
    subprocess.run(["make", target], cwd=checkout, env=_outside(), stdout=2, check=True)


def running(name: str, checkout: Path, runs: int) -> dict[str, Any]:
    """Figures of a build on a platform that runs, each command `runs` times, in turn."""
    taken: dict[str, list[tuple[float, float]]] = {command: [] for command in _COMMANDS}
    make("up", checkout)
    try:
        variables = environment(checkout)
        for number in range(runs + 1):
            for command, arguments in _COMMANDS.items():
                seconds, processor = once(arguments, checkout, variables)
                click.echo(f"{seconds:7.1f} s  {name}: {command}", err=True)
                # The first of each reads what later ones find in the system's cache.
                if number:
                    taken[command].append((seconds, processor))
    finally:
        make("down", checkout)
    return {
        command: {
            "seconds": round(median(seconds for seconds, _ in pairs), 2),
            "processorSeconds": round(median(processor for _, processor in pairs), 2),
        }
        for command, pairs in taken.items()
    }


def once(arguments: list[str], checkout: Path, variables: Mapping[str, str]) -> tuple[float, float]:
    """Seconds, and seconds of processor, of a command that must succeed."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        arguments, cwd=checkout, env=dict(variables), capture_output=True, text=True, check=False, timeout=300
    )
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        words = (done.stdout + done.stderr)[-2000:]
        raise click.ClickException(f"{' '.join(arguments)} ended with {done.returncode}:\n{words}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, processor


def hermetic(name: str, checkout: Path, runs: int, directory: Path) -> dict[str, Any]:
    """Figures of a build's gate of platforms that do not exist, by stack."""
    click.echo(f"         {name}: gates of platforms that do not exist", err=True)
    variables = environment(checkout)
    arguments = ["python", "-m", "benchmarks.gate", "--sizes=50", f"--runs={runs}", f"--output={directory}"]
    subprocess.run(arguments, cwd=checkout, env=variables, stdout=2, check=True)
    platforms = json.loads((directory / "gate.json").read_text())["platforms"]
    return {
        f"hermeticGate{entry['clusters']}": {
            key: value["median"] for key, value in entry["gate"].items() if "median" in value
        }
        for entry in platforms
    }


def ratios(now: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Each figure of this build over the earlier one's."""
    return {
        name: {key: round(value / earlier[name][key], 2) for key, value in measured.items()}
        for name, measured in now.items()
    }


def write(
    benchmark: str,
    output: Path,
    commits: Mapping[str, str],
    figures: Mapping[str, Mapping[str, float]],
    **more: Any,
) -> None:
    """Write the file of a benchmark of two builds, and say the ratios. figures: of each build, by name."""
    compared = ratios({"figures": figures["now"]}, {"figures": figures["earlier"]})["figures"]
    document = {
        "benchmark": benchmark,
        "finishedAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "commits": commits,
        "machine": results.machine(),
        **more,
        "ratios": compared,
    }
    (output / f"{benchmark.replace('_', '-')}.json").write_text(json.dumps(document, indent=2) + "\n")
    click.echo(json.dumps(compared, indent=2))


@click.command()
@click.option("--against", required=True, help="Commit of the earlier build.")
@click.option("--runs", default=5, show_default=True, type=click.IntRange(1), help="Runs of each that count.")
@click.option(
    "--hermetic/--no-hermetic",
    "with_hermetic",
    default=True,
    show_default=True,
    help="Also measure gates of platforms that do not exist, of up to 50 clusters.",
)
@click.option(
    "--output", default=ROOT / "docs" / "benchmarks", type=click.Path(path_type=Path), show_default=True
)
def main(against: str, runs: int, with_hermetic: bool, output: Path) -> None:
    """Measure this build beside an earlier one, and write the figures."""
    measured: dict[str, dict[str, Any]] = {}
    commits = {"earlier": against, "now": results.commit()}
    with tempfile.TemporaryDirectory(prefix="crossmesh-beside-") as name:
        for build, commit in commits.items():
            place = Path(name) / build
            checkout = clone(commit, place / "checkout")
            measured[build] = running(build, checkout, runs)
            if with_hermetic:
                measured[build] |= hermetic(build, checkout, runs, place)
    document = {
        "benchmark": "beside",
        "finishedAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "commits": commits,
        "machine": results.machine(),
        "runs": runs,
        **measured,
        "ratios": ratios(measured["now"], measured["earlier"]),
        "gateOverPreview": {
            build: round(found["gate"]["seconds"] / found["preview"]["seconds"], 2)
            for build, found in measured.items()
        },
    }
    (output / "beside.json").write_text(json.dumps(document, indent=2) + "\n")
    click.echo(json.dumps({key: document[key] for key in ("ratios", "gateOverPreview")}, indent=2))


if __name__ == "__main__":
    main()
