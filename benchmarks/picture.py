"""The picture of a bring-up: when each phase ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

_OUTSIDE, _INSIDE = "#7a8ca3", "#2f6db5"


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw a result of `bring_up` as bars over time, into `path` (its ending says the format)."""
    rows: list[tuple[str, float, float, str]] = []
    for step in result["steps"]:
        rows.append((step["name"], step["start"], step["seconds"], _OUTSIDE))
        if step["name"] == "pulumi up":
            rows += [
                (f"   {phase['name']} ({phase['resources']})", step["start"] + phase["start"],
                 max(phase["end"] - phase["start"], 0.3), _INSIDE)
                for phase in step["phases"]
            ]  # fmt: skip
    figure, axes = pyplot.subplots(figsize=(10, 0.36 * len(rows) + 1.4))
    for place, (_, start, seconds, colour) in enumerate(rows):
        axes.barh(place, seconds, left=start, height=0.7, color=colour)
        axes.text(start + seconds + 1, place, f"{seconds:.0f} s", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=8, fontfamily="monospace")
    axes.invert_yaxis()
    axes.set_xlabel("seconds since `make up` in an empty lab, toolchain and images warm")
    first = result["firstAnswerSeconds"]
    axes.axvline(first, color="#2a8a4a", linestyle="--", linewidth=1)
    axes.set_title(
        f"Two regions from nothing to the first answer: {first:.0f} s; "
        f"`pulumi up` again: {result['secondUpSeconds']:.1f} s",
        fontsize=10,
    )
    axes.margins(x=0.06)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the date, drawing the same result twice gives the same file.
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)
