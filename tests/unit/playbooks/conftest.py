from __future__ import annotations

import copy
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.plugins.filter.core import FilterModule
from jinja2 import Environment as Jinja
from jinja2 import FileSystemLoader, StrictUndefined

from playbooks.phase import COLLECTION, PLAYBOOKS
from stacks.ledger import Ledger
from stacks.model import Environment

ROOT = PLAYBOOKS.parent
GOLDEN = ROOT / "tests" / "golden" / "playbooks"
ARMOURED = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZQ==\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with its golden file; UPDATE_GOLDEN=1 writes the file instead."""

    def compare(name: str, text: str) -> None:
        file = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN") == "1":
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        assert text == file.read_text(), (
            f"{file} differs; look at it, and run with UPDATE_GOLDEN=1 if it is meant"
        )

    return compare


@pytest.fixture(scope="session")
def lab_document() -> dict[str, Any]:
    """The reference stack file as plain data."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "stacks" / "Pulumi.lab.yaml").read_text())["config"]
    return config


@pytest.fixture
def declaration(lab_document: dict[str, Any]) -> dict[str, Any]:
    """The reference environment as plain data of the test's own, to be changed at will."""
    return copy.deepcopy(lab_document["crossmesh:environment"])


@pytest.fixture
def environment(declaration: dict[str, Any]) -> Environment:
    """The reference environment."""
    return Environment.model_validate(declaration)


@pytest.fixture
def ledger(lab_document: dict[str, Any]) -> Ledger:
    """The reference environment's ledger."""
    return Ledger.model_validate(lab_document["crossmesh:ledger"])


def rendering(role: str, template: str, variables: dict[str, Any]) -> str:
    """A role's template with variables over the role's defaults, as Ansible's template module renders it."""
    directory = COLLECTION / "roles" / role
    files = (directory / part / "main.yml" for part in ("defaults", "vars"))
    own = {
        key: value
        for file in files
        if file.exists()
        for key, value in yaml.safe_load(file.read_text()).items()
    }
    jinja = Jinja(
        loader=FileSystemLoader(directory / "templates"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    jinja.filters.update(FilterModule().filters())
    return jinja.get_template(template).render({**own, **variables})


@pytest.fixture
def render() -> Callable[..., str]:
    """The function that renders a role's template."""
    return rendering


@pytest.fixture
def ansible_module() -> Callable[[str], ModuleType]:
    """Import one of the project's Ansible modules by its name."""

    def imported(name: str) -> ModuleType:
        path: Path = COLLECTION / "plugins" / "modules" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"crossmesh_module_{name}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return imported


class ModuleFailed(Exception):
    """What a module said when it failed."""


class _Ended(Exception):
    """A module has ended well."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


class _Module:
    """Stands for AnsibleModule."""

    check_mode = False

    def __init__(self, params: dict[str, Any], argument_spec: dict[str, Any]) -> None:
        self.params = _with_defaults(argument_spec, params)

    def exit_json(self, **result: Any) -> None:
        raise _Ended(result)

    def fail_json(self, msg: str) -> None:
        raise ModuleFailed(msg)


def _with_defaults(spec: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    assert not params.keys() - spec.keys()
    values = {name: params.get(name, option.get("default")) for name, option in spec.items()}
    for name, option in spec.items():
        if "options" in option and values[name]:
            values[name] = [_with_defaults(option["options"], entry) for entry in values[name]]
    return values


@pytest.fixture
def run_module(
    ansible_module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Run one of the project's Ansible modules with parameters, and return its result.

    It may be given as a module too, which the test has changed before. Raises `ModuleFailed`.
    """

    def run(which: str | ModuleType, **params: Any) -> dict[str, Any]:
        module = ansible_module(which) if isinstance(which, str) else which
        monkeypatch.setattr(
            module, "AnsibleModule", lambda argument_spec, **_: _Module(params, argument_spec)
        )
        with pytest.raises(_Ended) as ended:
            module.main()
        return ended.value.result

    return run


@pytest.fixture
def argument_spec(
    ansible_module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], dict[str, Any]]:
    """What a module says that it takes."""

    def spec(name: str) -> dict[str, Any]:
        module = ansible_module(name)

        def caught(argument_spec: dict[str, Any], **_: Any) -> None:
            raise _Ended(argument_spec)

        monkeypatch.setattr(module, "AnsibleModule", caught)
        with pytest.raises(_Ended) as ended:
            module.main()
        return ended.value.result

    return spec
