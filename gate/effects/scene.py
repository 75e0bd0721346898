"""A change set looked at once, for all columns: what there is and what there will be, by kind and region."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from components.tokens import REGION
from components.values.exposure import Name
from gate.effects.routes import Routes
from gate.effects.table import Table
from playbooks.tokens import HOST_PHASE
from report.model import ChangeSet, Resource
from report.urns import kind
from stacks.load import Stack

_KUBERNETES = "kubernetes:"


def kind_of(resource: Resource) -> str:
    """By what effects know a resource: the kind of a Kubernetes object, whatever its API version; of anything
    else, the whole type.
    """
    return kind(resource) if is_object(resource) else resource.type


def is_object(resource: Resource) -> bool:
    """Whether a resource is an object in a cluster."""
    return resource.type.startswith(_KUBERNETES)


class Belonging:
    """The regions and hosts of a change set, or of one side of it: what goes is no longer declared."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.regions: set[str] = set()
        self.nodes: dict[str, set[str]] = {}
        """Nodes of each region's cluster: hosts that are declared below `regions.<name>.cluster`."""
        self.edges: dict[str, set[str]] = {}
        """Other hosts of each region."""
        for resource in resources:
            if resource.type == REGION:
                self.regions.add(resource.region)
            elif resource.type == HOST_PHASE and resource.region:
                hosts = self.nodes if resource.declared[2:3] == ("cluster",) else self.edges
                hosts.setdefault(resource.region, set()).add(host_of(resource))


class Side:
    """Everything that there is, or that there will be."""

    def __init__(self, resources: Sequence[Resource], earlier: Side | None = None) -> None:
        """earlier: what there was before."""
        self.resources = resources
        self._earlier = earlier
        self._by_kind: dict[str, list[Resource]] = {}
        for resource in resources:
            self._by_kind.setdefault(kind_of(resource), []).append(resource)

    def of(self, *kinds: str) -> list[Resource]:
        """The resources of some kinds, in the order of these and of URNs."""
        return [resource for name in kinds for resource in self._by_kind.get(name, ())]

    @cached_property
    def phases(self) -> list[Resource]:
        """The phases of hosts."""
        return self.of(HOST_PHASE)

    @cached_property
    def routes(self) -> Routes:
        """What is exposed. A gateway that was there and goes is no gateway that is declared elsewhere."""
        return Routes(self.of(*Routes.KINDS), self._earlier.routes if self._earlier else None)


class Scene:
    """What a change set is about."""

    def __init__(self, changes: ChangeSet, head: Stack | None = None, base: Stack | None = None) -> None:
        """head: the declaration, where it matters. base: that before the change, where it is known."""
        self.changes, self.head, self.base = changes, head, base
        self.before = Side(changes.before)
        self.after = Side(changes.after, self.before)
        self.sides = (self.before, self.after)
        self.belonging = Belonging([*self.before.resources, *self.after.resources])
        self.there = Belonging(self.before.resources)
        """What can be hurt."""

    def by_region(self, *kinds: str) -> dict[str, list[Resource]]:
        """The resources of some kinds of both sides by region, each once; as it will be where it stays."""
        resources = {entry.urn: entry for side in self.sides for entry in side.of(*kinds)}
        by_region: dict[str, list[Resource]] = {region: [] for region in sorted(self.belonging.regions)}
        for resource in resources.values():
            by_region.setdefault(resource.region, []).append(resource)
        return by_region

    @cached_property
    def namespaces(self) -> set[tuple[str, Any]]:
        """Region and name of every namespace that there is."""
        return {(entry.region, metadata(entry).get("name")) for entry in self.before.of("Namespace")}

    def share(self, resource: Resource, regions: Iterable[str]) -> float | None:
        """The share of the world's traffic that goes through these regions, as far as this resource has a
        part in it. None where that cannot be said.
        """
        exposed = self.before.routes.services
        if not exposed:
            return 0.0
        application = application_of(resource)
        if application is not None and application not in exposed:
            # Nothing from outside leads there; who inside calls it, the declaration does not say.
            return None
        there = self.there.regions
        return round(min(part(1.0, len(there)) * len(set(regions) & there), 1.0), 4)


def host_of(resource: Resource) -> str:
    """The host of a host's phase."""
    return str(resource.inputs.get("host") or resource.name)


def phase_of(resource: Resource) -> str:
    """The phase of a host's phase; empty for other resources."""
    return str(resource.inputs.get("phase") or "") if resource.type == HOST_PHASE else ""


def both(rows: Callable[[Side], Mapping[str, str]]) -> Callable[[Scene], Table]:
    """A table from what gives the rows of one side."""
    return lambda scene: Table(rows(scene.before), rows(scene.after))


def part(share: float, of: int) -> float:
    """An equal part of a share."""
    return round(share / of, 4) if of else 0.0


def metadata(resource: Resource) -> Mapping[str, Any]:
    """The metadata of a Kubernetes object; empty where it cannot be seen."""
    return below(resource.inputs, "metadata")


def below(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The mapping at a key; an empty one where there is none."""
    entry = value.get(key)
    return entry if isinstance(entry, Mapping) else {}


def application_of(resource: Resource) -> Name | None:
    """Namespace and name of the application that an object is a part of; None for what is the platform's."""
    named = is_object(resource) and resource.declared[:1] == ("applications",)
    return name_of(resource) if named else None


def name_of(resource: Resource) -> Name:
    """Namespace and name of an object."""
    named = metadata(resource)
    return str(named.get("namespace") or "default"), str(named.get("name") or resource.name)
