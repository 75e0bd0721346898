"""What a rule gets: the declaration, as far as it could be typed, and a place for problems."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any, Generic, NamedTuple, TypeVar

from stacks.errors import ENVIRONMENT, KeyPath
from stacks.ledger import Ledger
from stacks.model import (
    AdoptedClusterSpec,
    BareMetalClusterSpec,
    Environment,
    FabricPeer,
    Host,
    Node,
    RegionSpec,
    Secret,
)
from stacks.positions import Document
from stacks.wording import suggestion

T = TypeVar("T")
S_co = TypeVar("S_co", covariant=True)


class Placed(NamedTuple, Generic[S_co]):
    """A machine or router with its region, its name (of a router: empty) and its path in the environment."""

    region: str
    name: str
    path: KeyPath
    spec: S_co


@dataclass(frozen=True)
class Check:
    """One file under check.

    `intact(*path)` says whether nothing at, above or below that path of the environment was wrong already;
    rules that count or compare use it, so that one mistake is one problem. `replaced(*path)` says whether
    something else stands there than the file declares. `require_*` are those of
    `stacks.load.load_stack`.
    """

    document: Document
    stack: str
    environment: Environment
    ledger: Ledger
    secrets: frozenset[str]
    intact: Callable[..., bool]
    replaced: Callable[..., bool]
    ledger_intact: Callable[..., bool]
    proposed: list[IPv4Network] = field(default_factory=list)
    """Free ranges that were proposed for something."""
    require_secrets: bool = False
    require_ledger: bool = True

    def problem(self, path: KeyPath, got: str, rule: str, fix: str) -> None:
        """Note a problem at a path of the environment; where something was said already it is no new one."""
        if self.replaced(*path):
            return
        self.document.problem((*ENVIRONMENT, *path), got, rule, fix)

    def line(self, *path: str | int) -> int:
        """The line of a path of the environment."""
        return self.document.line((*ENVIRONMENT, *path))

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

    def nodes(self) -> Iterator[Placed[Node]]:
        """All machines that become nodes."""
        for region, spec in self.environment.regions.items():
            yield from _nodes(region, spec)

    def hosts(self) -> Iterator[Placed[Host]]:
        """All machines: region by region, nodes before edge hosts."""
        for region, spec in self.environment.regions.items():
            yield from _nodes(region, spec)
            for name, edge in spec.edges.items():
                yield Placed(region, name, ("regions", region, "edges", name), edge)

    def routers(self) -> Iterator[Placed[FabricPeer]]:
        """All fabric peers."""
        for region, spec in self.environment.regions.items():
            for index, peer in enumerate(spec.fabric.peers if spec.fabric else ()):
                yield Placed(region, "", ("regions", region, "fabric", "peers", index), peer)

    def said_in_one_way(self, path: KeyPath, text: object) -> None:
        """A problem at `path` where a secret text is both named and encrypted in its place, or neither."""
        if isinstance(text, Secret) and self.intact(*path) and bool(text.secret) == bool(text.secure):
            self.problem(
                path,
                "both `secret` and `secure`" if text.secret else "an empty mapping",
                "a secret text has `secret`, the name of a stack secret, or `secure`, which "
                "`pulumi config set --secret --path` writes",
                "remove one of the two" if text.secret else "write for example {secret: aName}",
            )

    def refers(self, path: KeyPath, name: str, kind: str, to: str, fix: str) -> bool:
        """Whether the mapping `to` declares a name; a problem at `path` where it does not.

        kind: what the name is of, in one word. fix: what else can be done than to correct the name.
        """
        known = self.declared(to)
        if name not in known and (known or self.intact(to)):
            listed = f"{kind}s there are: {', '.join(sorted(known))}" if known else f"`{to}` declares none"
            self.problem(path, f"the unknown {kind} '{name}'", listed, suggestion(name, known, fix))
        return name in known


def _nodes(region: str, spec: RegionSpec) -> Iterator[Placed[Node]]:
    for name, node in spec.nodes.items():
        yield Placed(region, name, ("regions", region, "cluster", "nodes", name), node)


def repeated(entries: Iterable[T], by: Callable[[T], Hashable]) -> Iterator[tuple[T, T]]:
    """Each entry whose key another one had before it, behind that one."""
    first: dict[Hashable, T] = {}
    for entry in entries:
        before = first.setdefault(by(entry), entry)
        if before is not entry:
            yield before, entry
