from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from playbooks.digest import PLAYBOOKS, Phase, modules_of, playbook_of, roles_digest, roles_of


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the plays, to be changed at will."""
    for part in ("library", "phases", "roles"):
        shutil.copytree(PLAYBOOKS / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_play_and_its_roles(phase: Phase) -> None:
    assert playbook_of(phase).is_file()
    for role in roles_of(phase):
        assert f"role: {role}\n" in playbook_of(phase).read_text()
        assert (PLAYBOOKS / "roles" / role / "meta" / "argument_specs.yml").is_file()


@pytest.mark.parametrize("phase", Phase)
def test_the_digest_is_that_of_a_copy(phase: Phase, tree: Path) -> None:
    assert roles_digest(phase, tree) == roles_digest(phase)


def test_a_change_of_a_role_changes_the_digests_of_its_phases_alone(tree: Path) -> None:
    before = {phase: roles_digest(phase, tree) for phase in Phase}
    with (tree / "roles" / "join" / "tasks" / "main.yml").open("a") as file:
        file.write("# changed\n")
    after = {phase: roles_digest(phase, tree) for phase in Phase}
    assert [phase for phase in Phase if after[phase] != before[phase]] == [Phase.JOIN]


def test_a_change_of_a_module_changes_the_digests_of_the_phases_that_use_it(tree: Path) -> None:
    before = {phase: roles_digest(phase, tree) for phase in Phase}
    with (tree / "library" / "kubeadm.py").open("a") as file:
        file.write("# changed\n")
    after = {phase: roles_digest(phase, tree) for phase in Phase}
    assert [phase for phase in Phase if after[phase] != before[phase]] == [Phase.CONTROL_PLANE, Phase.JOIN]


def test_every_module_is_used_by_some_phase() -> None:
    used = {module.stem for phase in Phase for module in modules_of(phase)}
    assert used == {module.stem for module in (PLAYBOOKS / "library").glob("*.py")}


def test_what_python_compiles_is_no_part_of_the_digest(tree: Path) -> None:
    before = roles_digest(Phase.JOIN, tree)
    cache = tree / "roles" / "join" / "__pycache__"
    cache.mkdir()
    (cache / "kubeadm.pyc").write_bytes(b"x")
    assert roles_digest(Phase.JOIN, tree) == before
