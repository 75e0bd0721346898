"""Which regions and hosts there are, read from the resources: what goes is no longer declared."""

from __future__ import annotations

from collections.abc import Iterable

from components.tokens import REGION
from playbooks.tokens import HOST_PHASE
from report.model import ChangeSet, Resource

__all__ = ["HOST_PHASE", "REGION", "Belonging", "host_of", "phase_of"]


class Belonging:
    """The regions and hosts of a change set, or of one side of it."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.regions: set[str] = set()
        self.nodes: dict[str, set[str]] = {}
        """Nodes of each region's cluster."""
        self.edges: dict[str, set[str]] = {}
        """Other hosts of each region."""
        for resource in resources:
            if resource.type == REGION:
                self.regions.add(resource.region)
            elif resource.type == HOST_PHASE and resource.region:
                hosts = self.nodes if is_node(resource) else self.edges
                hosts.setdefault(resource.region, set()).add(host_of(resource))

    @classmethod
    def of(cls, changes: ChangeSet) -> Belonging:
        """Of everything that there is and will be."""
        return cls([*changes.before, *changes.after])

    @staticmethod
    def region(resource: Resource) -> str:
        """The region that a resource is in; empty for what belongs to all of them."""
        return resource.region


def is_node(phase: Resource) -> bool:
    """Whether a host's phase is one of a cluster's node: it is declared below `regions.<name>.cluster`."""
    return phase.declared[2:3] == ("cluster",)


def host_of(resource: Resource) -> str:
    """The host of a host's phase."""
    return str(resource.inputs.get("host") or resource.name)


def phase_of(resource: Resource) -> str:
    """The phase of a host's phase."""
    return str(resource.inputs.get("phase") or "")
