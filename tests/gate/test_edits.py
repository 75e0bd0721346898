"""Edits of the corpus change what they name, and refuse what is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gate.cases import Edits
from tests.gate.edits import apply, keys

STACK = """\
config:
  # Kept.
  crossmesh:environment:
    regions:
      eu: {nodes: {eu-1: {zone: a}, eu-2: {zone: b}}}
    ingresses:
      shop:
        paths: [{path: /a}, {path: /b}]
  crossmesh:ledger:
    nodes: {eu: {eu-1: 10.0.0.0/24}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.test.yaml").write_text(STACK)
    (tmp_path / "program.py").write_text("one\ntwo\ntwo\n")
    return tmp_path


def config(project: Path) -> Any:
    return yaml.safe_load((project / "stacks" / "Pulumi.test.yaml").read_text())["config"]


def test_keys_of_the_environment_need_no_prefix() -> None:
    assert keys("ingresses.shop.paths[1].path") == [
        "crossmesh:environment",
        "ingresses",
        "shop",
        "paths",
        1,
        "path",
    ]
    assert keys("crossmesh:ledger.nodes.eu") == ["crossmesh:ledger", "nodes", "eu"]


def test_values_are_set_also_where_nothing_was(project: Path) -> None:
    edits = Edits(
        set={"regions.eu.nodes.eu-1.zone": "c", "mesh.id": "m", "ingresses.shop.paths[1].path": "/c"}
    )
    apply(edits, project, "test")
    found = config(project)["crossmesh:environment"]
    assert found["regions"]["eu"]["nodes"]["eu-1"] == {"zone": "c"}
    assert found["mesh"] == {"id": "m"}
    assert found["ingresses"]["shop"]["paths"] == [{"path": "/a"}, {"path": "/c"}]


def test_a_renamed_key_keeps_its_place(project: Path) -> None:
    apply(Edits(rename={"regions.eu.nodes.eu-1": "eu-9"}), project, "test")
    nodes = config(project)["crossmesh:environment"]["regions"]["eu"]["nodes"]
    assert list(nodes.items()) == [("eu-9", {"zone": "a"}), ("eu-2", {"zone": "b"})]


def test_keys_are_deleted_and_comments_stay(project: Path) -> None:
    apply(Edits(delete=("crossmesh:ledger.nodes.eu",)), project, "test")
    assert config(project)["crossmesh:ledger"] == {"nodes": {}}
    assert "# Kept." in (project / "stacks" / "Pulumi.test.yaml").read_text()


def test_text_is_replaced_and_files_are_written(project: Path) -> None:
    edits = Edits.model_validate(
        {
            "replace": [{"file": "program.py", "old": "one", "new": "1"}],
            "write": {"a/b.txt": "text"},
            "append": {"a/b.txt": " and more"},
        }
    )
    apply(edits, project, "test")
    assert (project / "program.py").read_text() == "1\ntwo\ntwo\n"
    assert (project / "a" / "b.txt").read_text() == "text and more"


@pytest.mark.parametrize(
    "edits",
    [
        {"delete": ["regions.us"]},
        {"rename": {"regions.us": "ap"}},
        {"set": {"ingresses.shop.paths[7].path": "/"}},
        {"replace": [{"file": "program.py", "old": "three", "new": ""}]},
        {"replace": [{"file": "program.py", "old": "two", "new": ""}]},
    ],
)
def test_what_is_not_there_once_is_an_error(edits: dict[str, Any], project: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no|stands there"):
        apply(Edits.model_validate(edits), project, "test")
