"""Runs of the gate and of plain `pulumi preview`, one after the other, and what they took."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import process_tree
from benchmarks.gate.site import Site
from benchmarks.process_tree import Usage
from gate.workspace import Workspace

REPORTS = ("json", "markdown", "sarif", "junit", "terminal")
"""All of them are written at once, as a pipeline may ask for."""

_CREATED = re.compile(r"^\s*\+ (\d+) to create$", re.MULTILINE)
_MEBIBYTE = 2**20
_ANSWERED = frozenset({0, 5, 10, 11})
"""Exit codes of a gate that was held to its end, whatever it thinks of the stack."""


class MeasureError(Exception):
    """A run failed, so there is nothing to measure. Says which, and its own last words."""


@dataclass(frozen=True)
class Pair:
    """One run of each, the one right after the other."""

    preview: Usage
    gate: Usage


@dataclass(frozen=True)
class Measured:
    """All runs of one stack."""

    stack: str
    clusters: int
    resources: int
    pairs: Sequence[Pair]
    reports: Mapping[str, int]
    """Size of each report in bytes."""


def measure(
    site: Site, stack: str, clusters: int, directory: Path, runs: int, say: Callable[[str], None]
) -> Measured:
    """Run both `runs` times in turn, in `directory`, which is empty.

    One run of each comes before and does not count: it fills caches (rendered charts, compiled modules, the
    page cache). Raises `MeasureError` if a run fails, or if the two do not see the same resources.
    """
    workspace = site.prepared(stack, directory)
    found = []
    resources = 0
    for number in range(runs + 1):
        preview, resources = plain_preview(workspace, directory)
        gate, seen = one_gate(site, stack, directory)
        if seen != resources:
            raise MeasureError(f"{stack}: `pulumi preview` creates {resources} resources, the gate {seen}")
        which = f"run {number} of {runs}" if number else "warm-up"
        say(f"{stack}, {resources} resources, {which}: preview {_words(preview)}, gate {_words(gate)}")
        if number:
            found.append(Pair(preview, gate))
    sizes = {name: (directory / f"report.{name}").stat().st_size for name in REPORTS}
    return Measured(stack, clusters, resources, found, sizes)


def plain_preview(workspace: Workspace, directory: Path) -> tuple[Usage, int]:
    """`pulumi preview` as a pipeline calls it; what it took, and how many resources it says are created."""
    output = directory / "preview.txt"
    usage = process_tree.run(
        ["pulumi", "preview", "--stack", workspace.stack, "--non-interactive", "--color=never"],
        directory=workspace.directory,
        environment=workspace.environment,
        stdout=output,
    )
    text = output.read_text(errors="replace")
    created = _CREATED.search(text)
    if usage.code != 0 or created is None:
        raise MeasureError(f"pulumi preview of {workspace.stack} failed ({usage.code}):\n{_end(text, usage)}")
    return usage, int(created[1])


def one_gate(site: Site, stack: str, directory: Path) -> tuple[Usage, int]:
    """`crossmesh gate --hermetic` with every report that there is, each into a file; what it took, and how
    many resources it says are created.
    """
    output = directory / "gate.txt"
    command = [str(site.root / "toolchain" / "bin" / "crossmesh"), "gate", "--hermetic", "--stack", stack]
    for name in REPORTS:
        command += ["--report", f"{name}={directory / f'report.{name}'}"]
    usage = process_tree.run(command, directory=site.root, environment=site.environment, stdout=output)
    if usage.code not in _ANSWERED:
        words = _end(output.read_text(errors="replace"), usage)
        raise MeasureError(f"crossmesh gate of {stack} failed ({usage.code}):\n{words}")
    report = json.loads((directory / "report.json").read_text())
    return usage, int(report["stacks"][0]["counts"]["create"])


def result(measured: Measured) -> dict[str, Any]:
    """What is kept of a stack's runs."""
    pairs = measured.pairs
    gate = _figures([pair.gate for pair in pairs])
    return {
        "stack": measured.stack,
        "clusters": measured.clusters,
        "resources": measured.resources,
        "preview": _figures([pair.preview for pair in pairs]),
        "gate": gate,
        "ratios": {
            "seconds": _spread(pair.gate.seconds / pair.preview.seconds for pair in pairs),
            "processorSeconds": _spread(
                pair.gate.processor_seconds / pair.preview.processor_seconds for pair in pairs
            ),
            "memory": _spread(pair.gate.peak_bytes / pair.preview.peak_bytes for pair in pairs),
        },
        "gateMillisecondsPerResource": round(1000 * gate["seconds"]["median"] / measured.resources, 2),
        "gateExitCode": pairs[0].gate.code,
        "reportKiB": {name: round(size / 1024, 1) for name, size in sorted(measured.reports.items())},
    }


def _figures(usages: Sequence[Usage]) -> dict[str, Any]:
    largest = max(usages, key=lambda usage: usage.peak_bytes)
    return {
        "seconds": _spread(usage.seconds for usage in usages),
        "processorSeconds": _spread(usage.processor_seconds for usage in usages),
        "peakMiB": _spread(usage.peak_bytes / _MEBIBYTE for usage in usages),
        "peakMiBByProgram": {
            name: round(size / _MEBIBYTE, 1) for name, size in largest.peak_by_program.items()
        },
    }


def _spread(values: Iterable[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 2),
        "min": round(ordered[0], 2),
        "max": round(ordered[-1], 2),
    }


def _words(usage: Usage) -> str:
    return (
        f"{usage.seconds:.1f} s ({usage.processor_seconds:.1f} s of processor, "
        f"{usage.peak_bytes / _MEBIBYTE:.0f} MiB)"
    )


def _end(text: str, usage: Usage) -> str:
    return (text + usage.output)[-4000:]
