from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import yaml

from playbooks.phase import COLLECTION, PLAYBOOKS, Undo
from playbooks.work import COLUMNS, PHASES, earlier
from playbooks.work.clusters import JOIN
from playbooks.work.machines import PREPARE


def test_every_module_of_host_work_is_in_the_tuple_of_columns() -> None:
    modules = {file.stem for file in (PLAYBOOKS / "work").glob("*.py")} - {"__init__"}
    assert {column.__name__.rpartition(".")[2] for column in COLUMNS} == modules


def test_every_phase_has_its_play_and_those_that_undo_it_and_come_ahead_of_it() -> None:
    undos = [phase.undo for phase in PHASES.values()]
    plays = {phase.playbook for phase in PHASES.values()} | {undo.playbook for undo in undos}
    plays |= {undo.withdrawal for undo in undos if undo.leaves_etcd}
    plays |= {phase.ahead.playbook for phase in PHASES.values() if phase.ahead}
    assert plays == set((PLAYBOOKS / "phases").glob("*.yml"))


def test_phases_come_after_what_they_name() -> None:
    names = list(PHASES)
    assert names == ["prepare", "tunnel", "control-plane", "join", "edge"]
    for phase in PHASES.values():
        assert all(names.index(before) < names.index(phase.name) for before in (*phase.after, *phase.awaits))
    assert earlier(JOIN) == ("prepare", "tunnel")
    assert earlier(PREPARE) == ()


def test_what_comes_ahead_of_a_turn_is_part_of_the_phase_too() -> None:
    """By its own digest a change of it is seen, and a host that waits for nobody gets it."""
    for phase in PHASES.values():
        if phase.ahead:
            roles = [entry["role"] for entry in _plays(phase.ahead.playbook)[0]["roles"]]
            assert set(roles) <= {entry["role"] for entry in _plays(phase.playbook)[0]["roles"]}
            assert phase.rolled


def _plays(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(file.read_text())
    return found


def test_the_site_s_play_runs_all_phases_in_their_order() -> None:
    site = yaml.safe_load((PLAYBOOKS / "site.yml").read_text())
    imported = [play["ansible.builtin.import_playbook"] for play in site]
    assert imported == [f"phases/{phase.play}.yml" for phase in PHASES.values()]


def test_the_reset_s_role_takes_what_a_phase_says_of_its_undoing() -> None:
    specs = yaml.safe_load((COLLECTION / "roles" / "reset" / "meta" / "argument_specs.yml").read_text())
    assert set(specs["argument_specs"]["main"]["options"]) == set(Undo().variables)


def test_the_services_that_are_stopped_are_those_that_roles_run() -> None:
    run = {
        task["crossmesh.nodes.configured_service"]["name"]
        for file in COLLECTION.glob("roles/*/tasks/main.yml")
        for task in yaml.safe_load(file.read_text())
        if "crossmesh.nodes.configured_service" in task and "reset" not in file.parts
    }
    assert {service for phase in PHASES.values() for service in phase.undo.services} == run


def test_who_reads_phases_does_not_load_the_model() -> None:
    for file in (PLAYBOOKS / "phase.py", *(PLAYBOOKS / "work").glob("*.py")):
        for node in ast.parse(file.read_text()).body:
            assert not (isinstance(node, ast.ImportFrom) and str(node.module).startswith("stacks")), file


def test_the_guide_names_every_phase_with_its_play_and_its_roles() -> None:
    from playbooks.digest import Sources

    guide = Path(PLAYBOOKS.parent, "docs", "guides", "playbooks.md").read_text()
    rows = [line for line in guide.splitlines() if line.startswith("| `")]
    assert len(rows) == len(PHASES)
    for row, phase in zip(rows, PHASES.values(), strict=True):
        assert row.startswith(f"| `{phase.name}` | `phases/{phase.play}.yml` |")
        assert [role for role in Sources(phase).roles if f"`{role}`" not in row] == []
