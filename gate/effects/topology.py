"""The picture's content: regions with what is in them, how they hang together, and what changes."""

from __future__ import annotations

from collections.abc import Iterable

from gate.effects.belonging import HOST_PHASE, REGION, Belonging, host_of
from report.model import Change, ChangeSet, Link, Op, Part, Resource, Risk, Topology
from report.urns import kind

_OPS = (Op.DELETE, Op.REPLACE, Op.CREATE, Op.UPDATE, Op.SAME)
"""Which operation a part shows when what it stands for has several; the first wins."""


def topology(changes: ChangeSet) -> Topology:
    """Parts and links before and after the change together; what goes is there as well."""
    return _Drawing(changes).drawn()


class _Drawing:
    def __init__(self, changes: ChangeSet) -> None:
        self._belonging = Belonging.of(changes)
        self._changes = {change.urn: change for change in changes.changes}
        self._resources = {found.urn: found for found in (*changes.before, *changes.after)}
        self._parts: dict[str, Part] = {}
        self._links: list[Link] = []

    def drawn(self) -> Topology:
        regions = sorted(self._belonging.regions)
        by_region: dict[str, list[Resource]] = {region: [] for region in regions}
        for resource in self._resources.values():
            by_region.get(self._belonging.region(resource), []).append(resource)
        for region in regions:
            self._region(region, by_region[region])
        for index, one in enumerate(regions):
            for other in regions[index + 1 :]:
                joins = [
                    found
                    for region, peer in ((one, other), (other, one))
                    for found in by_region[region]
                    if kind(found) == "Secret" and found.name.endswith(f"-istio-remote-secret-{peer}")
                ]
                if joins:
                    op, _ = self._worst(joins)
                    self._links.append(Link(f"cluster:{one}", f"cluster:{other}", "mesh", "", op))
        self._answers(regions)
        return Topology(tuple(self._parts.values()), tuple(self._links))

    def _region(self, region: str, resources: list[Resource]) -> None:
        place = f"region:{region}"
        own = [found for found in resources if found.type == REGION]
        self._add(place, "region", region, "", own)
        cluster = f"cluster:{region}"
        held = [
            found
            for found in resources
            if kind(found) in ("BareMetalCluster", "AdoptedCluster", "kubernetes")
        ]
        self._add(cluster, "cluster", f"cluster {region}", place, held)
        phases: dict[str, list[Resource]] = {}
        for found in resources:
            if found.type == HOST_PHASE:
                phases.setdefault(host_of(found), []).append(found)
        for host, own_phases in sorted(phases.items()):
            node = host in self._belonging.nodes.get(region, ())
            self._add(
                f"host:{host}", "node" if node else "edge", host, cluster if node else place, own_phases
            )
        gateways = [
            found
            for found in resources
            if kind(found) == "Service" and (found.inputs.get("spec") or {}).get("type") == "LoadBalancer"
        ]
        for found in gateways:
            name = str((found.inputs.get("metadata") or {}).get("name"))
            self._add(f"gateway:{region}/{name}", "gateway", name, cluster, [found])
        self._services(region, cluster, resources, [f"gateway:{region}/{_name(found)}" for found in gateways])

    def _services(self, region: str, cluster: str, resources: list[Resource], gateways: list[str]) -> None:
        applications: dict[str, list[Resource]] = {}
        routes: dict[str, list[Resource]] = {}
        for found in resources:
            if "crossmesh:components:Application" in found.parent:
                applications.setdefault(_name(found), []).append(found)
            elif kind(found) == "Ingress" and found.custom:
                for service in sorted(_backends(found)):
                    routes.setdefault(service, []).append(found)
        for name, parts in sorted(applications.items()):
            self._add(f"service:{region}/{name}", "service", name, cluster, parts)
            for gateway in gateways if name in routes else ():
                op, _ = self._worst(routes[name])
                self._links.append(Link(gateway, f"service:{region}/{name}", "route", "", op))

    def _answers(self, regions: list[str]) -> None:
        for urn, resource in sorted(self._resources.items()):
            variables = resource.inputs.get("variables")
            if resource.type != HOST_PHASE or not isinstance(variables, dict):
                continue
            for region in sorted(set(variables.get("gdnsd_gateways") or ()) & set(regions)):
                target = next((part for part in self._parts if part.startswith(f"gateway:{region}/")), None)
                change = self._changes.get(urn)
                if target is not None:
                    op = change.op if change else Op.SAME
                    self._links.append(Link(f"host:{host_of(resource)}", target, "answer", "", op))

    def _add(self, id: str, kind: str, title: str, inside: str, resources: Iterable[Resource]) -> None:
        op, risk = self._worst(resources)
        self._parts[id] = Part(id, kind, title, inside, op, risk)

    def _worst(self, resources: Iterable[Resource]) -> tuple[Op, Risk]:
        """What happens to several resources as one: a part that is partly new is changed, not new."""
        found: list[Change | None] = [self._changes.get(resource.urn) for resource in resources]
        changes = [change for change in found if change is not None]
        if not changes:
            return Op.SAME, Risk.ORDINARY
        risk = min((change.risk for change in changes), key=lambda risk: risk.rank)
        ops = {change.op for change in changes}
        if len(ops) > 1 or len(changes) < len(found):
            mixed = Op.REPLACE if Op.REPLACE in ops else Op.UPDATE
            return mixed, risk
        return min(ops, key=_OPS.index), risk


def _name(resource: Resource) -> str:
    return str((resource.inputs.get("metadata") or {}).get("name") or resource.name)


def _backends(ingress: Resource) -> set[str]:
    rules = (ingress.inputs.get("spec") or {}).get("rules") or ()
    return {
        str(((path.get("backend") or {}).get("service") or {}).get("name"))
        for rule in rules
        for path in ((rule or {}).get("http") or {}).get("paths") or ()
    }
