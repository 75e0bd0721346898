"""What others manage, brought along to the twin."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.objects import Objects
from report.errors import ConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "budget.yaml"
    path.write_text("kind: PodDisruptionBudget\n")
    return path


def test_a_path_is_for_every_region_and_with_a_name_for_that_one(file: Path) -> None:
    assert Objects.of(str(file)) == Objects(file)
    assert Objects.of(str(file)).regions({"us": 0, "eu": 0}) == ["eu", "us"]
    assert Objects.of(f"eu={file}") == Objects(file, "eu")
    assert Objects.of(f"eu={file}").regions({"us": 0, "eu": 0}) == ["eu"]


def test_a_path_may_have_an_equals_sign(tmp_path: Path) -> None:
    there = tmp_path / "a=b"
    there.mkdir()
    assert Objects.of(str(there)) == Objects(there)
    assert Objects.of(f"eu={there / '..'}").path == tmp_path


def test_what_is_not_there_is_refused(tmp_path: Path, file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no .*/nothing"):
        Objects.of(f"eu={tmp_path}/nothing")
    with pytest.raises(ConfigurationError, match="no region 'ue' is declared") as refused:
        Objects.of(f"ue={file}").regions(["eu", "us"])
    assert "regions are eu, us" in str(refused.value)


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_a_kustomization_is_built_and_other_directories_are_walked(file: Path, name: str) -> None:
    directory = file.parent
    walked = Objects(directory).arguments(Path("k"))
    assert walked[0] == "--kubeconfig=k"
    assert walked[-3:] == ["--recursive", "--filename", str(directory)]
    (directory / name).write_text("resources: [budget.yaml]\n")
    assert Objects(directory).arguments(Path("k"))[-2:] == ["--kustomize", str(directory)]
