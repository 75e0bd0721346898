from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from playbooks.digest import Sources, roles_digest
from playbooks.phase import COLLECTION, PLAYBOOKS, Phase
from playbooks.work import PHASES
from playbooks.work.clusters import CONTROL_PLANE, JOIN
from playbooks.work.machines import PREPARE
from playbooks.work.names import EDGE

NODES = COLLECTION.relative_to(PLAYBOOKS)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the plays, to be changed at will."""
    for part in ("collections", "phases"):
        shutil.copytree(PLAYBOOKS / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def add(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as stream:
        stream.write(text)


def new_role(tree: Path, tasks: str = "") -> Path:
    """A role `extra` that nothing leads to yet."""
    role = tree / NODES / "roles" / "extra"
    add(role / "tasks" / "main.yml", tasks)
    return role


def changed_by(tree: Path, file: Path, text: str = "# changed\n") -> list[Phase]:
    """The phases whose digest is another one after a change of the file."""
    before = {phase: roles_digest(phase, tree) for phase in PHASES.values()}
    add(file, text)
    return [phase for phase, digest in before.items() if roles_digest(phase, tree) != digest]


@pytest.mark.parametrize("phase", PHASES.values(), ids=str)
def test_a_digest_covers_every_role_that_the_play_names(phase: Phase) -> None:
    plays = yaml.safe_load(phase.playbook.read_text())
    named = [entry["role"] for play in plays for entry in play["roles"]]
    found = [f"crossmesh.nodes.{role}" for role in Sources(phase).roles]
    # A role may lead to others.
    assert [role for role in found if role in named] == named
    for role in Sources(phase).roles:
        assert (COLLECTION / "roles" / role / "meta" / "argument_specs.yml").is_file()


@pytest.mark.parametrize("phase", PHASES.values(), ids=str)
def test_the_digest_is_that_of_a_copy(phase: Phase, tree: Path) -> None:
    assert roles_digest(phase, tree) == roles_digest(phase)


def test_a_role_that_is_added_to_a_play_is_part_of_its_digest(tree: Path) -> None:
    role, play = new_role(tree), tree / "phases" / "join.yml"
    roles = "  roles:\n"
    play.write_text(play.read_text().replace(roles, f"{roles}    - role: crossmesh.nodes.extra\n"))
    assert changed_by(tree, role / "templates" / "extra.j2") == [JOIN]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("roles/join/meta/main.yml", "dependencies:\n  - role: crossmesh.nodes.extra\n"),
        ("roles/join/tasks/more.yml", "- ansible.builtin.include_role:\n    name: crossmesh.nodes.extra\n"),
        ("roles/join/handlers/main.yml", "- import_role: {name: crossmesh.nodes.extra}\n"),
        (
            "roles/join/tasks/main.yml",
            "- block: []\n  rescue:\n    - import_role: {name: crossmesh.nodes.extra}\n",
        ),
    ],
)
def test_a_role_that_a_role_leads_to_is_part_of_the_digest(tree: Path, file: str, text: str) -> None:
    role = new_role(tree)
    add(tree / NODES / file, text)
    assert changed_by(tree, role / "files" / "extra") == [JOIN]


def test_tasks_that_a_play_includes_are_part_of_its_digest(tree: Path) -> None:
    add(tree / "phases" / "join.yml", "  tasks:\n    - ansible.builtin.import_tasks: more/tasks.yml\n")
    more = tree / "phases" / "more" / "tasks.yml"
    add(more, "- crossmesh.nodes.kernel_settings:\n")
    assert Sources(JOIN, tree).modules == {"kernel_settings", "kubeadm", "node_health"}
    assert changed_by(tree, more) == [JOIN]


def test_a_change_of_a_role_changes_the_digests_of_its_phases_alone(tree: Path) -> None:
    assert changed_by(tree, tree / NODES / "roles" / "join" / "tasks" / "main.yml") == [JOIN]


def test_a_change_of_a_module_changes_the_digests_of_the_phases_that_use_it(tree: Path) -> None:
    modules = tree / NODES / "plugins" / "modules"
    assert changed_by(tree, modules / "kubeadm.py") == [CONTROL_PLANE, JOIN]
    assert changed_by(tree, modules / "image_bundles.py") == [PREPARE]


def test_a_change_of_what_modules_share_changes_the_digests_of_all_that_use_modules(tree: Path) -> None:
    shared = tree / NODES / "plugins" / "module_utils" / "shared.py"
    assert changed_by(tree, shared) == list(PHASES.values())


@pytest.mark.parametrize(
    "task",
    [
        "- crossmesh.nodes.kernel_settings:\n    modules: [x]\n",
        "- kernel_settings: {modules: [x]}\n",
        "- action: crossmesh.nodes.kernel_settings modules=x\n",
        "- action: {module: crossmesh.nodes.kernel_settings}\n",
        "- name: In a block\n  block:\n    - crossmesh.nodes.kernel_settings: {modules: [x]}\n",
        "- name: Beside a value of Ansible's own\n  vars: {x: !unsafe '{{ y }}'}\n  kernel_settings:\n",
    ],
)
@pytest.mark.parametrize("part", ["tasks", "handlers"])
def test_modules_are_known_however_a_task_or_a_handler_calls_them(tree: Path, part: str, task: str) -> None:
    add(tree / NODES / "roles" / "join" / part / "main.yml", task)
    assert Sources(JOIN, tree).modules == {"kernel_settings", "kubeadm", "node_health"}


def test_every_module_is_used_by_some_phase() -> None:
    used = {name for phase in PHASES.values() for name in Sources(phase).modules}
    # What is called when a phase is undone alone.
    used |= {"etcd_member"}
    assert used == {module.stem for module in (COLLECTION / "plugins" / "modules").glob("*.py")}


@pytest.mark.parametrize("role", ["extra", "crossmesh.nodes.absent", "community.general.extra"])
def test_a_role_of_which_no_change_would_be_seen_is_refused(tree: Path, role: str) -> None:
    new_role(tree)
    play = tree / "phases" / "edge.yml"
    play.write_text(play.read_text().replace("  roles:\n", f"  roles:\n    - {role}\n"))
    with pytest.raises(ValueError, match=f"edge.yml: the role '{role}' is none of the collection"):
        roles_digest(EDGE, tree)


def test_a_role_whose_name_depends_on_variables_is_refused(tree: Path) -> None:
    tasks = tree / NODES / "roles" / "gdnsd" / "tasks" / "main.yml"
    add(tasks, "- ansible.builtin.include_role: {name: 'crossmesh.nodes.{{ kind }}'}\n")
    with pytest.raises(ValueError, match="depends on variables"):
        roles_digest(EDGE, tree)


def test_what_python_compiles_is_no_part_of_the_digest(tree: Path) -> None:
    assert changed_by(tree, tree / NODES / "roles" / "join" / "__pycache__" / "kubeadm.pyc") == []
