"""Every capability is a column: a file of its name on every floor, and its type tokens in no other file."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from components import tokens as component_tokens
from components.component import Component
from components.platform import Platform
from gate.rules.change import CHECKS
from playbooks import tokens as provider_tokens
from tests.unit.test_rooms import rooms

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
    "stacks.model": LATER,
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
    "GIVEN_CERTIFICATE": "trust",
    "HOST_PHASE": "machines",
    "ADMISSION": "clusters",
    "ENCRYPTION_KEY": "clusters",
    "NODE_TAINTS": "clusters",
    "SERVICE_ACCOUNT_TOKEN": "trust",
    "SIGNING_KEY": "clusters",
    "TUNNEL_KEY": "network",
}
"""The column of each type of the provider's; components say theirs by where they are."""
OF_ALL = frozenset({"COMPONENTS", "PLATFORM", "REGION"})
"""What all columns stand in."""
_ISSUED = "what rests on what is issued is known no sooner than `up`"
_KUBECONFIG = "the identity of a cluster holds the way to it"

OF_KUBERNETES = frozenset({"CUSTOM_RESOURCE_DEFINITION", "INGRESS"})
"""Whose last parts are kinds of Kubernetes as well."""
STANDING_OVER_ALL: Mapping[str, str] = {
    "gate/timeline.py": "it tells how long each column takes",
    "playbooks/provider/sdk.py": "the classes of all of the provider's types are there",
}
"""Files that may name the tokens of all columns, and why."""
NAMED_ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("gate/effects/scene.py", "HOST_PHASE"): "which hosts there are, all columns ask",
    ("gate/rules/change/trust.py", "BARE_METAL_CLUSTER"): "its authority is a root that nodes hold on to",
    ("gate/seal/rehearse.py", "CLUSTER_IDENTITY"): _KUBECONFIG,
    ("gate/simulate.py", "CERTIFICATE"): _ISSUED,
    ("gate/simulate.py", "CERTIFICATE_AUTHORITY"): _ISSUED,
    ("gate/simulate.py", "CLUSTER_IDENTITY"): _KUBECONFIG,
    ("gate/effects/trust.py", "EXPOSED_HOST"): "which hosts show a certificate",
    ("gate/rules/change/host_authorities.py", "EXPOSED_HOST"): "which hosts come to another certificate",
    ("gate/rules/change/shared_connections.py", "EXPOSED_HOST"): "which hosts a certificate is for",
    (
        "live/drift/exposure.py",
        "GIVEN_CERTIFICATE",
    ): "what a gateway presents is compared with what was given",
    ("live/drift/exposure.py", "CERTIFICATE"): "what a gateway presents is compared with what was issued",
    (
        "live/drift/trust.py",
        "ISTIO_CONTROL_PLANE",
    ): "istiod signs with what its control plane holds",
    ("live/state.py", "CLUSTER_IDENTITY"): _KUBECONFIG,
    ("runbooks/etcd/anew.py", "HOST_PHASE"): "which resources an operator is told to have looked at",
    (
        "playbooks/definitions.py",
        "CUSTOM_RESOURCE_DEFINITION",
    ): "what is in its text is read in one place, for components, gate and drift",
    ("runbooks/applied.py", "HOST_PHASE"): "what a killed engine left of hosts is finished by a run",
    ("runbooks/rotation/authority.py", "CERTIFICATE_AUTHORITY"): "which of a cluster's authorities were made",
    ("runbooks/etcd/encryption.py", "ENCRYPTION_KEY"): "a backup says which keys it needs, and who has them",
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
    names = {value: name for name, value in TOKENS.items()}

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
    assert set(owners()) == set(TOKENS) - OF_ALL
    assert set(owners().values()) <= set(COLUMNS)


def column_of(path: Path) -> str:
    """The column that a file belongs to; empty for none."""
    rule = next(
        (check for check in CHECKS if check.find.__module__ == ".".join(path.with_suffix("").parts)), None
    )
    if rule is not None:
        return rule.column
    return next((part for part in (*path.parts[:-1], path.stem) if part in COLUMNS), "")


TOKENS: Mapping[str, str] = {
    name: value
    for module in (component_tokens, provider_tokens)
    for name, value in vars(module).items()
    if name.isupper() and ":" in value
}
"""Every type by its constant, what all columns stand in among them."""


def text_of(node: ast.AST) -> str:
    """What an expression is as a text, with the tokens that are put into it; `…` for what is not known."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else "…"
    if isinstance(node, ast.Name | ast.Attribute):
        return TOKENS.get(node.id if isinstance(node, ast.Name) else node.attr, "…")
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    return "…"


def is_named(name: str, text: str) -> bool:
    """Whether a text names a token: whole, by its last part, or with all of its family."""
    token = TOKENS[name]
    family, last = re.findall(r"(.*:)(.*)", token)[0]
    if last not in text and family not in text:
        return False
    if re.search(rf"{token}\b", text) or re.search(rf"{family}(?![A-Za-z…])", text):
        return True
    return name not in OF_KUBERNETES and (text == last or bool(re.search(rf":{last}\b", text)))


def named_in(source: str) -> set[str]:
    """The tokens that a module names, as constants or in texts; docstrings may."""
    named: set[str] = set()
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.alias | ast.Attribute):
            name = {"Name": "id", "alias": "name", "Attribute": "attr"}[type(node).__name__]
            named.add(str(getattr(node, name)))
        elif isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp) and id(node) not in docstrings:
            text = text_of(node)
            named |= {name for name in TOKENS.keys() - OF_ALL if is_named(name, text)}
    return named & TOKENS.keys() - OF_ALL


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("kind == tokens.HOST_PHASE", "HOST_PHASE"),
        ('kind == "crossmesh:hosts:HostPhase"', "HOST_PHASE"),
        ('"$crossmesh:hosts:HostPhase" in urn', "HOST_PHASE"),
        ('kind.endswith(":HostPhase")', "HOST_PHASE"),
        ('kind.rpartition(":")[2] == "HostPhase"', "HOST_PHASE"),
        ('kind == f"{COMPONENTS}Ingress"', "INGRESS"),
        ('kind == tokens.COMPONENTS + "Ingress"', "INGRESS"),
        ('kind.startswith("crossmesh:hosts:")', "HOST_PHASE"),
        ('f"urn:{stack}::{COMPONENTS}MeshTrust::{name}"', "MESH_TRUST"),
    ],
)
def test_a_token_is_seen_however_it_is_written(written: str, named: str) -> None:
    assert named_in(f"found = {written}") == {named}


@pytest.mark.parametrize(
    "written",
    [
        'kind == "Ingress"',
        'kind == "kubernetes:networking.k8s.io/v1:Ingress"',
        "kind.startswith(COMPONENTS)",
        'f"{COMPONENTS}{name}"',
        '"mTLS of MeshTrust is kept"',
    ],
)
def test_what_only_looks_like_a_token_is_none(written: str) -> None:
    assert named_in(f"found = {written}") == set()


def test_no_file_outside_of_a_column_names_its_type_tokens() -> None:
    columns = owners()
    paths = [path for room in rooms() for path in (ROOT / room).rglob("*.py")]
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in [ROOT / "__main__.py", *paths]
        if path.name != "tokens.py"
        for name in named_in(path.read_text(encoding="utf-8"))
        if columns[name] != column_of(path.relative_to(ROOT))
    }
    over_all = {path for path, _ in named} & set(STANDING_OVER_ALL)
    assert over_all == set(STANDING_OVER_ALL)
    assert {entry for entry in named if entry[0] not in over_all} == set(NAMED_ELSEWHERE)
