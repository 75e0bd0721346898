from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.declaration import MOST_CLUSTERS, stack_text
from stacks.load import Stack, load_stack
from stacks.model import AdoptedClusterSpec


def load(directory: Path, clusters: int) -> Stack:
    path = directory / "Pulumi.scale.yaml"
    path.write_text(stack_text(clusters))
    return load_stack(path, require_secrets=False)


@pytest.mark.parametrize(("clusters", "adopted"), [(1, 0), (2, 0), (5, 1), (50, 10), (MOST_CLUSTERS, 50)])
def test_every_size_is_a_valid_declaration(tmp_path: Path, clusters: int, adopted: int) -> None:
    regions = load(tmp_path, clusters).environment.regions
    kinds = [isinstance(spec.cluster, AdoptedClusterSpec) for spec in regions.values()]
    assert (len(kinds), sum(kinds)) == (clusters, adopted)


def test_the_same_size_has_the_same_text() -> None:
    assert stack_text(7) == stack_text(7)


def test_what_is_there_stays_as_it_is_when_clusters_are_added(tmp_path: Path) -> None:
    few, more = load(tmp_path, 4), load(tmp_path, 9)
    for region, spec in few.environment.regions.items():
        assert more.environment.regions[region] == spec
        assert more.pod_cidr(region) == few.pod_cidr(region)


@pytest.mark.parametrize("clusters", [0, MOST_CLUSTERS + 1])
def test_other_sizes_are_refused(clusters: int) -> None:
    with pytest.raises(ValueError, match=f"{clusters} clusters"):
        stack_text(clusters)
