"""Whatever makes a play refuse to go on: the gate says it before, or here is written why it cannot know."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gate.rules import change
from playbooks.phase import COLLECTION, PLAYBOOKS, Phase
from playbooks.preflight import checks
from playbooks.work import PHASES

MODULES = COLLECTION / "plugins" / "modules"
MEMBERS = "change/members-kept"
VERSIONS = "change/version-skew"
HOST = "what is on the host decides; check mode asks it where the gate reaches it"
PROGRAM = "a program that fails says why; nothing of it is declared"
MIRROR = "what the mirror has is known when it is fetched and verified"
TASKS = "a task of this project calls it so; nothing of it is declared"
SEEN_BY_DOING = "what a change does to pods and answers is seen by making it, batch by batch"

REFUSALS = {
    "api_address.main: no interface of this host": HOST,
    "api_address.refuse": HOST,
    "config_files.main": "a program of `VALIDATED` refuses",
    "configured_service.fail": PROGRAM,
    "configured_service.main: data_files need the data_command": TASKS,
    "configured_service.main: the unit": HOST,
    "etcd_member.main": HOST,
    "etcd_member.told_addresses": HOST,
    "image_bundles.dearmoured": "preflight/images",
    "image_bundles.download: cannot be read": "preflight/images",
    "image_bundles.download: has the SHA-256": MIRROR,
    "image_bundles.image_names": MIRROR,
    "image_bundles.import_bundle": PROGRAM,
    "image_bundles.import_due": "preflight/images",
    "image_bundles.main": "passes on what is listed here",
    "image_bundles.present_images": HOST,
    "image_bundles.verified_sums: /SHA256SUMS": MIRROR,
    "image_bundles.verified_sums: gpgv": "the role before it installs it",
    "kernel_settings.main: the kernel module": "preflight/kernel",
    "kernel_settings.main: the kernel setting": "preflight/kernel",
    "kubeadm.main": "passes on what is listed here",
    "kubeadm.member: this cannot be changed on a host": MEMBERS,
    "kubeadm.leave_etcd": HOST,
    "kubeadm.member: there is no token": "a token is made for each run that may need one",
    "kubeadm.member: kubeadm is not installed": "the phase before it installs it",
    "kubeadm.tolerate: kubectl taint ended": PROGRAM,
    "kubeadm_upgrade._wait_for_server": HOST,
    "kubeadm_upgrade.allow": VERSIONS,
    "kubeadm_upgrade.main": "passes on what is listed here",
    "kubeadm_upgrade.run_kubeadm": PROGRAM,
    "kubeadm_upgrade.snapshot": PROGRAM,
    "kubeadm_upgrade.upgrade: nothing was upgraded": VERSIONS,
    "kubeadm_upgrade.upgrade: kubeadm upgrade": SEEN_BY_DOING,
    "name_server_health.main": SEEN_BY_DOING,
    "node_health.ask": HOST,
    "node_health.main": SEEN_BY_DOING,
    "packages.main: apt cannot install": "preflight/packages",
    "packages.main: nothing is installed": "preflight/packages",
    "packages.exchange": SEEN_BY_DOING,
    "packages.install": PROGRAM,
    "packages.update": "preflight/mirror",
    "sshd_settings.main": HOST,
}
"""Of each place at which a module refuses (its function, and words where it has several): the rule of the
gate or the check of the preflight that says it before, or why nobody can."""
CALLS = ("ansible.builtin.include_role",)
"""What calls further tasks, and can refuse nothing by itself."""
TASKS_THAT_REFUSE = {
    ("base", "Finish an interrupted installation"): HOST,
    ("base", "Find out the distribution"): "preflight/distribution",
    ("gdnsd", "Have a user for the prober"): HOST,
    ("gdnsd", "See that zones that are led to by their own name have a gateway with an address"): (
        "change/names-answered"
    ),
    ("gdnsd", "See that policies can be kept with the gateways that there are"): ("change/names-answered"),
    ("reset", "Remove what only it used"): HOST,
}
"""Tasks of roles and plays that call a module of Ansible's, of which each may fail."""
VALIDATED = {
    "bird": "templates are held against BIRD itself by tests, in every shape that can be declared",
    "gateway_health.check": HOST,
    "keepalived": "what is declared is one address of a network; the interface is asked of the host itself",
}
"""What has to accept files before they are put in place."""


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


def test_every_answer_that_is_a_rule_or_a_check_is_one_that_there_is() -> None:
    known = {check.rule.id for check in (*change.CHECKS, *checks.CHECKS)}
    given = [*REFUSALS.values(), *TASKS_THAT_REFUSE.values(), *VALIDATED.values()]
    named = {answer for answer in given if answer.partition("/")[0] in ("change", "preflight")}
    assert named
    assert named <= known


def tasks() -> Iterator[tuple[str, dict[str, Any]]]:
    """All tasks, each with the name of its role or play; those of blocks among them."""
    for file in sorted(COLLECTION.glob("roles/*/[th]a*/*.yml")):
        yield from _flat(file.parts[-3], yaml.safe_load(file.read_text()))
    for file in sorted((PLAYBOOKS / "phases").glob("*.yml")):
        for play in yaml.safe_load(file.read_text()):
            for key in ("pre_tasks", "tasks", "post_tasks", "handlers"):
                yield from _flat(file.stem, play.get(key))


def _flat(place: str, found: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for task in found or ():
        inner = [entry for key in ("block", "rescue", "always") for entry in task.get(key) or ()]
        yield from _flat(place, inner) if inner else [(place, task)]


def test_every_task_that_may_refuse_by_itself_has_an_answer() -> None:
    found = {
        (place, task["name"])
        for place, task in tasks()
        if not any(action.startswith("crossmesh.nodes.") or action in CALLS for action in task)
    }
    assert found == TASKS_THAT_REFUSE.keys()


def test_every_program_that_has_to_accept_files_has_an_answer() -> None:
    commands = [
        shlex.split(arguments["validate"])
        for _, task in tasks()
        if (arguments := task.get("crossmesh.nodes.config_files")) and "validate" in arguments
    ]
    own = re.compile(r"^%s/.*/(\w+)\.py$")
    scripts = [(word, command) for command in commands for word in command if own.match(word)]
    named = {f"{own.match(word)[1]}.{command[command.index(word) + 1]}" for word, command in scripts}  # type: ignore[index]
    others = {Path(command[0]).name for command in commands if not any(command is one for _, one in scripts)}
    assert named | others == VALIDATED.keys()


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
