from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.gate import picture


def spread(middle: float) -> dict[str, float]:
    return {"median": middle, "min": 0.9 * middle, "max": 1.2 * middle}


def platform(stack: str, clusters: int, resources: int) -> dict[str, Any]:
    return {
        "stack": stack,
        "clusters": clusters,
        "resources": resources,
        "preview": {"seconds": spread(resources / 100), "peakMiB": spread(resources)},
        "gate": {"seconds": spread(resources / 90), "peakMiB": spread(0.9 * resources)},
        "ratios": {"seconds": spread(1.11), "memory": spread(0.9)},
    }


RESULT = {
    "reference": "lab",
    "platforms": [platform("lab", 2, 226), platform("scale-2", 2, 238), platform("scale-50", 50, 10000)],
}


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_same_result_gives_the_same_picture(tmp_path: Path, ending: str) -> None:
    drawn = [tmp_path / "new" / f"{number}.{ending}" for number in (1, 2)]
    for path in drawn:
        picture.draw(RESULT, path)
    assert drawn[0].read_bytes() == drawn[1].read_bytes()


def test_the_picture_says_what_the_largest_platform_took(tmp_path: Path) -> None:
    picture.draw(RESULT, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert "50 clusters, 10,000 resources, nothing exists yet: gate 111 s, 1.11× the time and 0.90×" in text
