"""Whatever makes a play refuse to go on: the gate says it before, or here is written why it cannot know."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gate.rules import change
from playbooks.phase import COLLECTION, Phase
from playbooks.work import PHASES

MODULES = COLLECTION / "plugins" / "modules"
MEMBERS = "change/members-kept"
HOST = "what is on the host decides; check mode asks it where the gate reaches it"
PROGRAM = "a program that fails says why; nothing of it is declared"
MIRROR = "what the mirror has is seen only by asking it"
TASKS = "a task of this project calls it so; nothing of it is declared"

REFUSALS = {
    "config_files.main": "the parser of the next program: templates are held against it by tests",
    "configured_service.fail": PROGRAM,
    "configured_service.main: data_files need the data_command": TASKS,
    "configured_service.main: the unit": HOST,
    "image_bundles.dearmoured": "the key file is of the operator's machine, and read by `up`",
    "image_bundles.download: cannot be read": MIRROR,
    "image_bundles.download: has the SHA-256": MIRROR,
    "image_bundles.image_names": MIRROR,
    "image_bundles.import_bundle": PROGRAM,
    "image_bundles.import_due": MIRROR,
    "image_bundles.main": "passes on what is listed here",
    "image_bundles.present_images": HOST,
    "image_bundles.verified_sums: /SHA256SUMS": MIRROR,
    "image_bundles.verified_sums: gpgv": "the role before it installs it",
    "kernel_settings.main: the kernel module": HOST,
    "kernel_settings.main: the kernel setting": HOST,
    "kubeadm.carry_out": PROGRAM,
    "kubeadm.main": "passes on what is listed here",
    "kubeadm.member: this cannot be changed on a host": MEMBERS,
    "kubeadm.member: kubectl taint ended": PROGRAM,
    "kubeadm.member: kubeadm is not installed": "the phase before it installs it",
    "name_server_health.main": "what a change does to answers is seen by making it, edge by edge",
    "node_health.ask": HOST,
    "node_health.main": "what a change does to pods is seen by making it, batch by batch",
    "packages.main: apt cannot install": MIRROR,
    "packages.main: nothing is installed": "the preflight says it, where the gate reaches the host",
    "packages.main: apt failed": PROGRAM,
    "packages.update": MIRROR,
}
"""Of each place at which a module refuses (its function, and words where it has several): the gate's rule, or
why the gate cannot know."""
TASKS_THAT_REFUSE = {
    ("base", "Finish an interrupted installation"): HOST,
    ("base", "Find out the distribution"): HOST,
    ("gdnsd", "Have a user for the prober"): HOST,
    ("gdnsd", "See that zones that are led to by their own name have a gateway with an address"): (
        "what a cluster gives its gateway, an address or a host name, is known when it has given it"
    ),
}
"""Tasks of roles that call a module of Ansible's, of which each may fail."""


def module_refusals() -> Iterator[str]:
    """`module.function: words` of each `fail_json` and each error that a module raises."""
    for file in sorted(MODULES.glob("*.py")):
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    raised = isinstance(node, ast.Raise) and node.exc is not None
                    failed = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "fail_json"
                    if raised or failed:
                        yield f"{file.stem}.{function.name}: {_words(function, node)}"


def _words(function: ast.FunctionDef, node: ast.AST) -> str:
    """The literal words near a refusal: its own, or those of the variable that it passes on."""
    names = {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}
    assigned = [
        found
        for found in ast.walk(function)
        if isinstance(found, ast.Assign) and any(getattr(to, "id", "") in names for to in found.targets)
    ]
    return " ".join(
        found.value
        for root in (node, *assigned)
        for found in ast.walk(root)
        if isinstance(found, ast.Constant) and isinstance(found.value, str)
    )


def answers(refusal: str) -> list[str]:
    """The entries that a refusal fits."""
    place, _, words = refusal.partition(": ")
    return [
        entry
        for entry in REFUSALS
        if entry == place or words.strip().startswith(entry.removeprefix(f"{place}: "))
    ]


def test_every_refusal_of_a_module_has_an_answer() -> None:
    found = list(module_refusals())
    assert len(found) >= len(REFUSALS)
    assert [(refusal, answers(refusal)) for refusal in found if len(answers(refusal)) != 1] == []
    assert {answer for refusal in found for answer in answers(refusal)} == REFUSALS.keys()


def test_every_answer_that_is_a_rule_is_one_of_the_gate() -> None:
    rules = {check.rule.id for check in change.CHECKS}
    named = {answer for answer in REFUSALS.values() if answer.startswith("change/")}
    assert named
    assert named <= rules


def test_every_task_of_a_role_that_may_refuse_by_itself_has_an_answer() -> None:
    found = {
        (file.parts[-3], task["name"])
        for file in COLLECTION.glob("roles/*/tasks/*.yml")
        for task in yaml.safe_load(file.read_text())
        if not any(action.startswith("crossmesh.nodes.") for action in task)
    }
    assert found == TASKS_THAT_REFUSE.keys()


def identity(role: str) -> dict[str, str]:
    """What a role hands to kubeadm as what cannot change: key → variable."""
    tasks: list[dict[str, Any]] = yaml.safe_load(
        Path(COLLECTION, "roles", role, "tasks/main.yml").read_text()
    )
    (given,) = [
        task["crossmesh.nodes.kubeadm"]["identity"] for task in tasks if "crossmesh.nodes.kubeadm" in task
    ]
    return {key: re.fullmatch(r"\{\{ (\w+) \}\}", value)[1] for key, value in given.items()}  # type: ignore[index]


@pytest.mark.parametrize("phase", [phase for phase in PHASES.values() if phase.membership], ids=str)
def test_the_role_refuses_what_the_gate_refuses(phase: Phase) -> None:
    assert identity(phase.play) == {fixed.name: fixed.variable for fixed in phase.fixed}
