"""What a rule gets: the declaration, as far as it could be typed, and a place for problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from stacks.errors import ENVIRONMENT, LEDGER, KeyPath, Problem
from stacks.ledger import Ledger
from stacks.model import AdoptedClusterSpec, BareMetalClusterSpec, Environment, Host
from stacks.positions import Document


@dataclass(frozen=True)
class Check:
    """One file under check.

    `intact(*path)` says whether nothing at, above or below that path of the environment was wrong already;
    rules that count or compare use it, so that one mistake is one problem. `require_*` are those of
    `stacks.load.load_stack`.
    """

    document: Document
    stack: str
    environment: Environment
    ledger: Ledger
    secrets: frozenset[str]
    intact: Callable[..., bool]
    ledger_intact: Callable[..., bool]
    require_secrets: bool = False
    require_ledger: bool = True

    def problem(self, path: KeyPath, got: str, rule: str, fix: str) -> None:
        """Note a problem at a path of the environment."""
        self.problem_at((*ENVIRONMENT, *path), got, rule, fix)

    def problem_at(self, path: KeyPath, got: str, rule: str, fix: str) -> None:
        """Note a problem at a path of the file."""
        self.document.problems.append(Problem(self.document.line(path), path, got, rule, fix))

    def line(self, *path: str | int) -> int:
        """The line of a path of the environment."""
        return self.document.line((*ENVIRONMENT, *path))

    def ledger_line(self, *path: str | int) -> int:
        """The line of a path of the ledger."""
        return self.document.line((*LEDGER, *path))

    def declared(self, *path: str) -> tuple[str, ...]:
        """The names that the file declares in a mapping, also those whose values are wrong."""
        value: Any = self.document.get((*ENVIRONMENT, *path))
        return tuple(value) if isinstance(value, dict) else ()

    def bare_metal(self) -> Iterator[tuple[str, BareMetalClusterSpec]]:
        """Regions whose cluster Crossmesh makes."""
        for name, region in self.environment.regions.items():
            if isinstance(region.cluster, BareMetalClusterSpec):
                yield name, region.cluster

    def adopted(self) -> Iterator[tuple[str, AdoptedClusterSpec]]:
        """Regions whose cluster is there already."""
        for name, region in self.environment.regions.items():
            if isinstance(region.cluster, AdoptedClusterSpec):
                yield name, region.cluster

    def hosts(self) -> Iterator[tuple[str, str, KeyPath, Host]]:
        """All machines: region, name, path in the environment, declaration; nodes before edge hosts."""
        for region, spec in self.environment.regions.items():
            if isinstance(spec.cluster, BareMetalClusterSpec):
                for name, node in spec.cluster.nodes.items():
                    yield region, name, ("regions", region, "cluster", "nodes", name), node
            for name, edge in spec.edges.items():
                yield region, name, ("regions", region, "edges", name), edge
