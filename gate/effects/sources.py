"""Where a resource comes from: the line of the stack file that asks for it, and that of the program."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from report.model import Change, ChangeSet, Place
from report.urns import types
from stacks.errors import ENVIRONMENT, KeyPath, StackFileError
from stacks.positions import Document, read

_COMPONENTS = "components"
_PREFIX = "crossmesh:components:"
_FALLBACK = "Platform"

_HOLDERS: Mapping[str, KeyPath] = {
    "Application": ("applications",),
    "Ingress": ("ingresses",),
    "MeshNamespace": ("namespaces",),
    "GlobalLoadBalancer": ("globalLoadBalancer",),
    "IstioMesh": ("mesh",),
    "IstioControlPlane": ("mesh",),
}
"""What of the declaration a component stands for, where that is no region."""

_BY_NAME = frozenset({"applications", "ingresses", "namespaces"})
"""Keys of the declaration that hold several things by name."""

_BELOW_REGION: Mapping[str, KeyPath] = {
    "LoadBalancerPool": ("loadBalancer",),
    "BareMetalCluster": ("cluster",),
    "AdoptedCluster": ("cluster",),
    "PodNetwork": ("cluster",),
    "Region": (),
}


@dataclass(frozen=True)
class Sources:
    """Looks places up in one stack file and one program; each is read once."""

    document: Document
    file: str
    """The stack file's path, relative to the project's root."""
    program: Mapping[str, Place]
    """Where each component's class is, by its name."""

    def declared(self, urn: str, properties: tuple[str, ...] = ()) -> Place:
        """The most specific line that asks for a resource. `properties`: what of it changes."""
        path = self._key(urn)
        for name in properties:
            deeper = self._below(path, name)
            if deeper is not None:
                path = deeper
                break
        while path and self.document.get(path) is None:
            path = path[:-1]
        return Place(self.file, max(1, self.document.line(path) if path else 1))

    def made(self, urn: str) -> Place | None:
        """The class of the component that declares a resource; None outside of this project's program."""
        for name in reversed([found for found in types(urn) if found.startswith(_PREFIX)]):
            place = self.program.get(name.removeprefix(_PREFIX))
            if place is not None:
                return place
        return self.program.get(_FALLBACK)

    def _key(self, urn: str) -> KeyPath:
        chain = [found.rpartition(":")[2] for found in types(urn)]
        name = urn.rpartition("::")[2]
        environment = self.document.get(ENVIRONMENT) or {}
        host = self._host(environment, name) if chain[-1] == "HostPhase" else None
        if host is not None:
            return (*ENVIRONMENT, *host)
        for holder in reversed(chain):
            if holder in _BELOW_REGION:
                region = _first(environment.get("regions"), name)
                return (*ENVIRONMENT, "regions", region, *_BELOW_REGION[holder]) if region else ENVIRONMENT
            if holder in _HOLDERS:
                path = _HOLDERS[holder]
                found = _within(environment.get(path[0]), name) if path[0] in _BY_NAME else None
                return (*ENVIRONMENT, *path, found) if found else (*ENVIRONMENT, *path)
        # Certificates of gateways are named for their ingress.
        ingress = _first(environment.get("ingresses"), name)
        return (*ENVIRONMENT, "ingresses", ingress) if ingress else ENVIRONMENT

    @staticmethod
    def _host(environment: Mapping[str, Any], name: str) -> KeyPath | None:
        for region, spec in (environment.get("regions") or {}).items():
            nodes = ((spec or {}).get("cluster") or {}).get("nodes")
            if found := _first(nodes, name):
                return ("regions", region, "cluster", "nodes", found)
            if found := _first((spec or {}).get("edges"), name):
                return ("regions", region, "edges", found)
        return None

    def _below(self, path: KeyPath, changed: str) -> KeyPath | None:
        """The key of the declaration that a changed property is named for, such as `spec.replicas`."""
        last = changed.replace("]", "").replace("[", ".").split(".")[-1]
        for key in (last, last.rpartition("_")[2]):
            for holder in (path, (*ENVIRONMENT, "globalLoadBalancer"), (*ENVIRONMENT, "versions")):
                value = self.document.get(holder)
                if isinstance(value, Mapping) and key in value:
                    return (*holder, key)
        return None


def open_sources(stack_path: Path, root: Path) -> Sources | None:
    """Sources of a stack; None for a stack file that cannot be read."""
    try:
        document = read(stack_path)
    except (OSError, StackFileError):
        return None
    file = stack_path.relative_to(root) if stack_path.is_relative_to(root) else Path(stack_path.name)
    return Sources(document, file.as_posix(), classes(root))


def locate(changes: ChangeSet, sources: Sources | None) -> ChangeSet:
    """Say of each change where it comes from."""
    if sources is None:
        return changes

    def located(change: Change) -> Change:
        properties = tuple(entry.path for entry in change.properties)
        return replace(
            change, declared=sources.declared(change.urn, properties), program=sources.made(change.urn)
        )

    return replace(changes, changes=tuple(located(change) for change in changes.changes))


@lru_cache
def classes(root: Path) -> Mapping[str, Place]:
    """Where the classes of the project's components are, by name; read from the text of the modules."""
    found = {}
    for path in sorted((root / _COMPONENTS).rglob("*.py")):
        for name, line in _classes(path):
            found[name] = Place(path.relative_to(root).as_posix(), line)
    return found


def _classes(path: Path) -> Iterator[tuple[str, int]]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name, node.lineno


def _first(holder: Any, name: str) -> str | None:
    """The longest key that a resource's name begins with."""
    keys = [key for key in holder or () if name == key or name.startswith(f"{key}-")]
    return max(keys, key=len, default=None)


def _within(holder: Any, name: str) -> str | None:
    """The longest key that a resource's name holds, as a whole run of words."""
    keys = [key for key in holder or () if f"-{key}-" in f"-{name}-"]
    return max(keys, key=len, default=None)
