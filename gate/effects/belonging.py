"""To which region, and to which host, a resource belongs; read from the resources themselves.

Not from the declaration: what goes is no longer declared.
"""

from __future__ import annotations

from collections.abc import Iterable

from report.model import ChangeSet, Resource
from report.urns import parent_name, parent_type

REGION = "crossmesh:components:Region"
CLUSTER = "crossmesh:components:BareMetalCluster"
HOST_PHASE = "crossmesh:hosts:HostPhase"
_PROVIDER_SUFFIX = "-kubernetes"


class Belonging:
    """Looks a resource's region and hosts up. Built once for a change set, before and after together."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.regions: set[str] = set()
        self.host_region: dict[str, str] = {}
        self.nodes: dict[str, set[str]] = {}
        """Nodes of each region's cluster."""
        self.edges: dict[str, set[str]] = {}
        """Other hosts of each region."""
        phases = []
        for resource in resources:
            if resource.type == REGION:
                self.regions.add(resource.name)
            elif resource.type == HOST_PHASE:
                phases.append(resource)
        for phase in phases:
            holder = parent_type(phase)
            region = parent_name(phase)
            if holder not in (REGION, CLUSTER):
                continue
            host = host_of(phase)
            self.host_region[host] = region
            (self.nodes if holder == CLUSTER else self.edges).setdefault(region, set()).add(host)

    @classmethod
    def of(cls, changes: ChangeSet) -> Belonging:
        """Of everything that there is and will be."""
        return cls([*changes.before, *changes.after])

    def region(self, resource: Resource) -> str:
        """The region that a resource is in; empty for what belongs to all of them."""
        if resource.type == HOST_PHASE:
            return self.host_region.get(host_of(resource), "")
        provider = resource.provider.rpartition("::")[2]
        if provider.endswith(_PROVIDER_SUFFIX):
            return provider.removesuffix(_PROVIDER_SUFFIX)
        if resource.name in self.regions:
            return resource.name
        parts = resource.name.split("-")
        # Names begin with the region's, and a region's name may have hyphens of its own: the longest counts.
        for length in range(len(parts) - 1, 0, -1):
            found = "-".join(parts[:length])
            if found in self.regions:
                return found
        return ""


def host_of(resource: Resource) -> str:
    """The host of a host's phase."""
    return str(resource.inputs.get("host") or resource.name)


def phase_of(resource: Resource) -> str:
    """The phase of a host's phase."""
    return str(resource.inputs.get("phase") or "")
