"""Load a stack file: read it, check everything at once, and return the typed environment with its ledger."""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from stacks.errors import ENVIRONMENT, LEDGER, Problem, StackFileError
from stacks.ledger import Ledger, retired
from stacks.model import AdoptedClusterSpec, Environment, GivenParts, Model
from stacks.positions import read
from stacks.rules import apply_all
from stacks.rules.check import Check
from stacks.shape import validate
from stacks.structure import check_top_level

PREFIX, SUFFIX = "Pulumi.", ".yaml"
PROJECT = Path(__file__).resolve().parent.parent

# What stands in for a required key that is missing or wrong, so that the rules can look at the rest of the
# file.
PLACEHOLDERS = {
    "domain": "placeholder.invalid",
    "addresses": {"podPool": "0.0.0.0/32", "servicePool": "0.0.0.1/32"},
    "mesh": {"id": "placeholder", "trustDomain": "placeholder.invalid"},
    "address": "0.0.0.0",
    "host": "placeholder.invalid",
    "image": "placeholder:1",
    "paths": [{"path": "/", "application": "placeholder"}],
}

_PATHS = frozenset({"ca_file", "known_hosts_file", "policy_file", "private_key_file", "signed_by"})
"""Keys whose values are paths on the operator's machine."""
_BESIDE = frozenset({"certificate", "chain", "private_key", "ca"})
"""Keys of a given certificate whose values may be such paths, below the stack file's directory."""


@dataclass(frozen=True)
class Stack:
    """One stack: its declaration, who has which addresses, and which secrets its file holds (names only)."""

    name: str
    environment: Environment
    ledger: Ledger
    secrets: frozenset[str]
    path: Path
    notices: tuple[str, ...] = ()

    def pod_cidr(self, region: str) -> IPv4Network:
        """The range of a cluster's pods, from the ledger; of an adopted cluster, from its spec."""
        cluster = self.environment.regions[region].cluster
        if isinstance(cluster, AdoptedClusterSpec):
            return cluster.pod_cidr
        return self.ledger.clusters[region].pods

    def service_cidr(self, region: str) -> IPv4Network:
        """The range of a cluster's services, from the ledger; of an adopted cluster, from its spec."""
        cluster = self.environment.regions[region].cluster
        if isinstance(cluster, AdoptedClusterSpec):
            return cluster.service_cidr
        return self.ledger.clusters[region].services


def stack_path(name: str, root: Path = PROJECT) -> Path:
    """The file of the stack with that name, below the project's root."""
    return root / "stacks" / f"{PREFIX}{name}{SUFFIX}"


def stack_name(path: Path) -> str:
    """The stack's name, from its file's: `stacks/Pulumi.lab.yaml` is `lab`."""
    return path.name.removeprefix(PREFIX).removesuffix(SUFFIX)


def load_stack(path: Path, *, require_secrets: bool = False, require_ledger: bool = True) -> Stack:
    """Load one stack file.

    `require_secrets` makes secrets that the declaration needs and the file lacks a problem (what `up` wants;
    a preview in CI may do without). `require_ledger=False` accepts clusters and nodes without slices, for the
    command that hands the slices out. Key files on disk are not looked at: `stacks.files.check_files` does
    that.

    Raises `StackFileError` with all problems of the file.
    """
    if not path.is_file():
        raise StackFileError(path, [_no_file(path)])
    document = read(path)
    secrets = check_top_level(document)
    if not isinstance(document.get(ENVIRONMENT), dict):
        raise StackFileError(path, document.problems)
    environment = validate(document, ENVIRONMENT, Environment, PLACEHOLDERS)
    ledger = validate(document, LEDGER, Ledger)
    if environment.value is not None:
        check = Check(
            document=document,
            stack=stack_name(path),
            environment=environment.value,
            ledger=ledger.value or Ledger(),
            secrets=secrets,
            intact=environment.intact,
            replaced=environment.replaced,
            ledger_intact=ledger.intact if ledger.value else lambda *path: False,
            require_secrets=require_secrets,
            require_ledger=require_ledger,
        )
        apply_all(check)
    if document.problems or environment.value is None or ledger.value is None:
        raise StackFileError(path, document.problems)
    return Stack(
        name=stack_name(path),
        environment=_expanded(environment.value, path.parent.absolute()),
        ledger=ledger.value,
        secrets=secrets,
        path=path,
        notices=tuple(str(entry) for entry in retired(environment.value, ledger.value)),
    )


def _expanded(value: Any, directory: Path) -> Any:
    """A value with `~` and environment variables of files' paths replaced. directory: the stack file's."""
    if isinstance(value, GivenParts):
        files = {name: part for name, part in value if name in _BESIDE and isinstance(part, str)}
        return value.model_copy(update={name: str(directory / _path(part)) for name, part in files.items()})
    if isinstance(value, Model):
        return value.model_copy(
            update={
                name: _path(part) if name in _PATHS and part else _expanded(part, directory)
                for name, part in value
            }
        )
    if isinstance(value, dict):
        return {name: _expanded(part, directory) for name, part in value.items()}
    return tuple(_expanded(part, directory) for part in value) if isinstance(value, tuple) else value


def _path(text: str) -> str:
    expanded = Path(os.path.expandvars(text))
    try:
        return str(expanded.expanduser())
    except RuntimeError:  # the home of a user that there is not; `check_files` says so
        return str(expanded)


def _no_file(path: Path) -> Problem:
    names = sorted(stack_name(file) for file in path.parent.glob(f"{PREFIX}*{SUFFIX}"))
    rule = f"stacks there are: {', '.join(names)}" if names else f"{path.parent} holds no stack file"
    fix = "name one of these, or copy one and change it"
    if not names:
        fix = "run from the project's root, or give the path of a stack file"
    return Problem(0, (), "no such file", rule, fix)
