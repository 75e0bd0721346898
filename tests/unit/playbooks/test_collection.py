"""The collection by itself: what somebody finds who has only Ansible."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from playbooks import roles_reference
from playbooks.phase import COLLECTION, PLAYBOOKS

MODULES = sorted(file.stem for file in (COLLECTION / "plugins" / "modules").glob("*.py"))
ROLES = sorted(directory.name for directory in (COLLECTION / "roles").iterdir())
TAKEN = ("type", "elements", "default", "choices", "required")


def described(options: dict[str, Any]) -> dict[str, Any]:
    """What documentation says of options, as an argument specification would."""
    return {
        name: {key: option[key] for key in TAKEN if key in option}
        | ({"options": described(option["suboptions"])} if "suboptions" in option else {})
        for name, option in options.items()
    }


def taken(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: option[key] for key in TAKEN if key in option}
        | ({"options": taken(option["options"])} if "options" in option else {})
        for name, option in spec.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_a_module_s_documentation_describes_the_options_that_it_takes(
    ansible_module: Callable[[str], ModuleType], argument_spec: Callable[[str], dict[str, Any]], name: str
) -> None:
    documentation = yaml.safe_load(ansible_module(name).DOCUMENTATION)
    assert documentation["module"] == name
    assert documentation["description"]
    assert documentation["author"]
    assert described(documentation["options"]) == taken(argument_spec(name))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_s_examples_call_it_with_options_that_it_takes(
    ansible_module: Callable[[str], ModuleType], argument_spec: Callable[[str], dict[str, Any]], name: str
) -> None:
    tasks = yaml.safe_load(ansible_module(name).EXAMPLES)
    assert tasks
    for task in tasks:
        assert set(task) == {"name", f"crossmesh.nodes.{name}"}
        options = task[f"crossmesh.nodes.{name}"]
        spec = argument_spec(name)
        assert options.keys() <= spec.keys()
        assert {option for option, entry in spec.items() if entry.get("required")} <= options.keys()


@pytest.mark.parametrize("name", MODULES)
def test_a_module_describes_what_it_returns(ansible_module: Callable[[str], ModuleType], name: str) -> None:
    for value in (yaml.safe_load(ansible_module(name).RETURN) or {}).values():
        assert value.keys() >= {"description", "type", "returned", "sample"}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_the_defaults_that_it_describes(role: str) -> None:
    def read(name: str) -> Any:
        file = COLLECTION / "roles" / role / name
        return yaml.safe_load(file.read_text()) if file.exists() else {}

    options = read("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = {name: option["default"] for name, option in options.items() if "default" in option}
    assert read("defaults/main.yml") == defaults
    assert all(name.startswith(f"{role}_") for name in options)


@pytest.mark.parametrize(
    "file", sorted(COLLECTION.glob("roles/*/*/*.yml")), ids=lambda file: str(file.relative_to(COLLECTION))
)
def test_no_role_knows_a_path_outside_of_the_collection(file: Path) -> None:
    assert "../" not in file.read_text()


@pytest.mark.parametrize("file", sorted(COLLECTION.glob("plugins/*/*.py")), ids=lambda file: file.stem)
def test_what_runs_on_hosts_is_written_for_the_oldest_python_that_they_have(file: Path) -> None:
    """Ubuntu 22.04 has Python 3.10; what looks at hosts says of older ones what they are."""
    oldest = (3, 8) if file.stem == "facts" else (3, 10)
    ast.parse(file.read_text(), feature_version=oldest)


def test_the_collection_s_page_describes_every_role_and_every_module() -> None:
    text = roles_reference.render()
    assert [name for name in (*ROLES, *MODULES) if f"\n### {name}\n" not in text] == []


def test_the_collection_has_the_version_of_the_project() -> None:
    galaxy = yaml.safe_load((COLLECTION / "galaxy.yml").read_text())
    project = tomllib.loads((PLAYBOOKS.parent / "pyproject.toml").read_text())["project"]
    assert (galaxy["namespace"], galaxy["name"]) == ("crossmesh", "nodes")
    assert galaxy["version"] == project["version"]
    assert f"## {galaxy['version']}\n" in (COLLECTION / "CHANGELOG.md").read_text()


def test_the_page_s_example_gives_roles_variables_that_they_take() -> None:
    example = roles_reference.INTRODUCTION.read_text().partition("```yaml\n")[2].partition("```")[0]
    (play,) = yaml.safe_load(example)
    for entry in play["roles"]:
        name = entry["role"].removeprefix("crossmesh.nodes.")
        specs = yaml.safe_load((COLLECTION / "roles" / name / "meta" / "argument_specs.yml").read_text())
        options = specs["argument_specs"]["main"]["options"]
        given = entry.get("vars", {}).keys()
        assert given <= options.keys()
        assert {option for option, spec in options.items() if spec.get("required")} <= given


@pytest.mark.parametrize("role", ROLES)
def test_a_role_s_defaults_are_taken_by_its_own_argument_specification(role: str) -> None:
    """Ansible holds every run's variables against it, those that nobody gave among them."""
    directory = COLLECTION / "roles" / role
    defaults = directory / "defaults" / "main.yml"
    told = (yaml.safe_load(defaults.read_text()) or {}) if defaults.exists() else {}
    options = yaml.safe_load((directory / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    spec = {name: {**option, "required": False} for name, option in options["main"]["options"].items()}
    plain = {name: value for name, value in told.items() if name in spec and "{{" not in str(value)}
    assert ArgumentSpecValidator(spec).validate(plain).error_messages == []
