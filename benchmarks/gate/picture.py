"""The picture of the gate's cost beside that of plain `pulumi preview`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

_PREVIEW, _GATE = "#7a8ca3", "#2f6db5"
_ROOM = 0.2
"""Of the axis: further left, words would lie over each other and over the axis."""
_LABELS = {"preview": ("pulumi preview", _PREVIEW), "gate": ("crossmesh gate, all reports", _GATE)}


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw a result of `benchmarks.gate` into `path` (its ending says the format); the same result gives the
    same file.
    """
    platforms = sorted(result["platforms"], key=lambda platform: platform["resources"])
    generated = [platform for platform in platforms if platform["stack"] != result["reference"]]
    reference = next(platform for platform in platforms if platform["stack"] == result["reference"])
    largest = generated[-1]
    with matplotlib.rc_context({"svg.hashsalt": "crossmesh"}):
        figure, (time, memory) = pyplot.subplots(1, 2, figsize=(11, 4.6))
        _panel(time, generated, reference, ("seconds", "seconds"), "wall time, seconds")
        _panel(memory, generated, reference, ("peakMiB", "memory"), "peak memory of all processes (PSS), MiB")
        figure.suptitle(
            f"{largest['clusters']} clusters, {largest['resources']:,} resources, nothing exists yet: "
            f"gate {largest['gate']['seconds']['median']:.0f} s, {_times(largest, 'seconds')} the time and "
            f"{_times(largest, 'memory')} the memory of `pulumi preview`",
            fontsize=11,
        )
        figure.tight_layout()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130, metadata={"Date": None} if path.suffix == ".svg" else None)
        pyplot.close(figure)


def _panel(
    axes: Axes,
    generated: Sequence[dict[str, Any]],
    reference: dict[str, Any],
    figures: tuple[str, str],
    title: str,
) -> None:
    """figures: names of what is drawn and of its ratio."""
    what, ratio = figures
    resources = [platform["resources"] for platform in generated]
    for side, (label, colour) in _LABELS.items():
        middle = [platform[side][what]["median"] for platform in generated]
        below = [platform[side][what]["median"] - platform[side][what]["min"] for platform in generated]
        above = [platform[side][what]["max"] - platform[side][what]["median"] for platform in generated]
        axes.errorbar(
            resources,
            middle,
            yerr=[below, above],
            color=colour,
            marker="o",
            markersize=4,
            capsize=3,
            label=label,
        )
        axes.plot(
            [reference["resources"]],
            [reference[side][what]["median"]],
            color=colour,
            marker="*",
            markersize=9,
        )
    highest = max(platform[side][what]["max"] for platform in (*generated, reference) for side in _LABELS)
    for platform in generated:
        if platform["resources"] < _ROOM * max(resources):
            continue
        axes.annotate(
            f"{platform['clusters']} clusters\n{_times(platform, ratio)}",
            (platform["resources"], max(platform[side][what]["max"] for side in _LABELS)),
            xytext=(-4, 6),
            textcoords="offset points",
            ha="right",
            fontsize=7.5,
            color=_GATE,
        )
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(f"resources (★ the reference stack, {_times(reference, ratio)})")
    axes.set_ylim(0, 1.2 * highest)
    axes.set_xlim(0, 1.05 * max(resources))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, fontsize=8.5, loc="lower right")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _times(platform: dict[str, Any], ratio: str) -> str:
    return f"{platform['ratios'][ratio]['median']:.2f}×"
