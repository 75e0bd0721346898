from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.gate.__main__ import main
from benchmarks.gate.site import Site, stack_name
from stacks.load import load_stack, stack_path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / "stacks").mkdir(parents=True)
    (tmp_path / "project" / "Pulumi.yaml").write_text("name: crossmesh\n")
    return tmp_path / "project"


def test_a_site_is_a_clean_checkout_with_a_stack_of_each_size(project: Path, tmp_path: Path) -> None:
    site = Site.make(project, tmp_path / "site", [2, 3])
    for clusters in (2, 3):
        regions = load_stack(stack_path(stack_name(clusters), site.root)).environment.regions
        assert len(regions) == clusters
    said = subprocess.run(["git", "status", "--porcelain"], cwd=site.root, capture_output=True, check=True)
    assert said.stdout == b""
    assert site.environment["PYTHONPATH"] == str(site.root)


def test_the_project_itself_is_left_alone(project: Path, tmp_path: Path) -> None:
    Site.make(project, tmp_path / "site", [2])
    assert sorted(path.name for path in project.rglob("*")) == ["Pulumi.yaml", "stacks"]


def test_sizes_that_are_no_numbers_are_refused() -> None:
    done = CliRunner().invoke(main, ["--sizes", "2,many"])
    assert done.exit_code == 2
    assert "numbers with commas between them" in done.output
