"""Which regions and hosts there are, read from the resources: what goes is no longer declared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from components.tokens import REGION
from playbooks.tokens import HOST_PHASE
from report.model import Resource


class Belonging:
    """The regions and hosts of a change set, or of one side of it."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.regions: set[str] = set()
        self.nodes: dict[str, set[str]] = {}
        """Nodes of each region's cluster."""
        self.edges: dict[str, set[str]] = {}
        """Other hosts of each region."""
        for resource in resources:
            if resource.type == REGION:
                self.regions.add(resource.region)
        for phase in host_phases(resources):
            if phase.region:
                hosts = self.nodes if is_node(phase) else self.edges
                hosts.setdefault(phase.region, set()).add(host_of(phase))


def is_node(phase: Resource) -> bool:
    """Whether a host's phase is one of a cluster's node: it is declared below `regions.<name>.cluster`."""
    return phase.declared[2:3] == ("cluster",)


def host_of(resource: Resource) -> str:
    """The host of a host's phase."""
    return str(resource.inputs.get("host") or resource.name)


def phase_of(resource: Resource) -> str:
    """The phase of a host's phase; empty for other resources."""
    return str(resource.inputs.get("phase") or "") if resource.type == HOST_PHASE else ""


def host_phases(resources: Iterable[Resource]) -> list[Resource]:
    """The phases of hosts among resources."""
    return [resource for resource in resources if resource.type == HOST_PHASE]
