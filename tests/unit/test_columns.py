"""Every capability is a column: a file of its name on every floor, and its type tokens in no other file."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from components import tokens as component_tokens
from components.component import Component
from components.platform import Platform
from gate.rules.change import CHECKS
from playbooks import tokens as provider_tokens

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = (
    "addresses",
    "machines",
    "clusters",
    "network",
    "trust",
    "mesh",
    "namespaces",
    "applications",
    "exposure",
    "names",
    "events",
    "observability",
)
LATER = dict.fromkeys(("events", "observability"), "nothing is declared of it yet")
_IN_CLUSTERS = "it lives in clusters alone: there is nothing to do on hosts"
_OBJECTS = "its objects are compared by the column clusters, as all are"

WITHOUT: Mapping[str, Mapping[str, str]] = {
    "stacks.model": {
        **LATER,
        "trust": "the mesh's authorities have no keys of their own: what is declared of them is in mesh",
    },
    "stacks.rules": LATER,
    "playbooks.work": {
        **LATER,
        "addresses": "hosts have the addresses that they are declared with; slices are network's",
        "trust": _IN_CLUSTERS,
        "namespaces": _IN_CLUSTERS,
        "exposure": _IN_CLUSTERS,
    },
    "components": {**LATER, "addresses": "the ledger has them; the pool of load balancers is network's"},
    "components.manifests": {
        **LATER,
        "addresses": "pools of load balancers are network's",
        "machines": "machines are no objects in a cluster",
        "trust": "certificates are objects of those who present them",
        "names": "names are answered on hosts",
    },
    "gate.effects": LATER,
    "live.checks": LATER,
    "live.drift": {
        **LATER,
        "addresses": _OBJECTS,
        "network": _OBJECTS,
        "mesh": _OBJECTS,
        "namespaces": _OBJECTS,
        "applications": _OBJECTS,
    },
}
"""The columns that each floor has nothing of, and why."""

OWNERS = {
    "CERTIFICATE": "trust",
    "CERTIFICATE_AUTHORITY": "trust",
    "CLUSTER_IDENTITY": "clusters",
    "CUSTOM_RESOURCE_DEFINITION": "clusters",
    "HOST_PHASE": "machines",
    "NODE_TAINTS": "clusters",
    "SERVICE_ACCOUNT_TOKEN": "trust",
}
"""The column of each type of the provider's; components say theirs by where they are."""
OF_ALL = frozenset({"COMPONENTS", "PLATFORM", "REGION"})
"""What all columns stand in."""
_KUBECONFIG = "the identity of a cluster holds the way to it"

NAMED_ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("gate/effects/scene.py", "HOST_PHASE"): "which hosts there are, all columns ask",
    ("gate/rules/change/trust.py", "BARE_METAL_CLUSTER"): "its authority is a root that nodes hold on to",
    ("gate/seal/rehearse.py", "CLUSTER_IDENTITY"): _KUBECONFIG,
    ("gate/simulate.py", "CLUSTER_IDENTITY"): _KUBECONFIG,
    ("live/drift/exposure.py", "CERTIFICATE"): "what a gateway presents is compared with what was issued",
    (
        "live/drift/trust.py",
        "ISTIO_CONTROL_PLANE",
    ): "istiod signs with what its control plane holds",
    ("live/state.py", "CLUSTER_IDENTITY"): _KUBECONFIG,
    ("operations/commands/lock.py", "HOST_PHASE"): "what a killed engine left of hosts is finished by a run",
}
"""Files that name the token of another column, and why."""


def name_of(column: Any) -> str:
    """A floor's columns are modules, or values with a name."""
    return str(getattr(column, "name", None) or column.__name__.rpartition(".")[2])


def modules_of(floor: str) -> set[str]:
    """Modules and packages of a floor that are named by columns."""
    package = ROOT.joinpath(*floor.split("."))
    return {path.stem for path in package.iterdir() if path.suffix == ".py" or path.is_dir()} & set(COLUMNS)


def columns_of(floor: str) -> set[str]:
    """The columns that a floor has."""
    module = "components.platform" if floor == "components" else floor
    columns = getattr(importlib.import_module(module), "COLUMNS", None)
    if isinstance(columns, Mapping):
        # Rules of the declaration, by the heading that they are told under.
        rules = [rule for rules in columns.values() for rule in rules]
        return {rule.__module__.split(".")[2] for rule in rules} & set(COLUMNS)
    return modules_of(floor) if columns is None else {name_of(column) for column in columns}


@pytest.mark.parametrize("floor", WITHOUT)
def test_every_column_stands_on_every_floor_or_says_why_not(floor: str) -> None:
    has = columns_of(floor)
    assert has.isdisjoint(WITHOUT[floor])
    assert has | set(WITHOUT[floor]) == set(COLUMNS)
    assert all(WITHOUT[floor].values())


@pytest.mark.parametrize("floor", WITHOUT)
def test_no_module_of_a_column_is_forgotten_in_its_floor_s_tuple(floor: str) -> None:
    assert modules_of(floor) <= columns_of(floor)


def owners() -> dict[str, str]:
    """The column of every type token, by the name of its constant."""
    names = {value: name for name, value in vars(component_tokens).items() if name.isupper()}

    def below(kind: type[Component]) -> Iterator[type[Component]]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    assert issubclass(Platform, Component)
    # What several components have in common has no token of its own.
    kinds = [kind for kind in below(Component) if hasattr(kind, "token")]
    found = {names[kind.token]: kind.__module__.split(".")[1] for kind in kinds}
    return {name: column for name, column in (OWNERS | found).items() if name not in OF_ALL}


def test_every_token_has_a_column() -> None:
    constants = {
        name for module in (component_tokens, provider_tokens) for name in vars(module) if name.isupper()
    }
    assert set(owners()) == constants - OF_ALL
    assert set(owners().values()) <= set(COLUMNS)


def column_of(path: Path) -> str:
    """The column that a file belongs to; empty for none."""
    rule = next(
        (check for check in CHECKS if check.find.__module__ == ".".join(path.with_suffix("").parts)), None
    )
    if rule is not None:
        return rule.column
    return next((part for part in (*path.parts[:-1], path.stem) if part in COLUMNS), "")


def named_in(path: Path, texts: Mapping[str, str]) -> set[str]:
    """The tokens that a file names, as constants or as texts."""
    named = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name | ast.alias | ast.Attribute):
            name = {"Name": "id", "alias": "name", "Attribute": "attr"}[type(node).__name__]
            named.add(str(getattr(node, name)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named |= {texts[node.value]} if node.value in texts else set()
    return named & set(texts.values())


def test_no_file_outside_of_a_column_names_its_type_tokens() -> None:
    columns = owners()
    texts = {
        value: name
        for module in (component_tokens, provider_tokens)
        for name, value in vars(module).items()
        if name in columns
    }
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for room in ("access", "components", "gate", "live", "operations", "policies", "report", "stacks")
        for path in (ROOT / room).rglob("*.py")
        if path.name != "tokens.py"
        for name in named_in(path, texts)
        if columns[name] != column_of(path.relative_to(ROOT))
    }
    assert named == set(NAMED_ELSEWHERE)
