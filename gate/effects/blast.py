"""How much each change can hurt, and how far it reaches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gate.effects.belonging import HOST_PHASE, Belonging, host_of, phase_of
from playbooks.phase import RECORDED
from playbooks.work import PHASES
from report.model import Blast, Change, ChangeSet, Op, Resource, Risk
from report.urns import kind

_LOSSES: Mapping[str, str] = {
    "AdoptedCluster": "a cluster leaves the mesh",
    "BareMetalCluster": "a cluster goes with all that runs in it",
    "CertificateAuthority": "every certificate that rests on it must be issued again",
    "ClusterIdentity": "another cluster takes its place",
    "CustomResourceDefinition": "all objects of its kind go with it",
    "Job": "it runs again",
    "Namespace": "everything in it goes with it",
    "PersistentVolume": "its data goes with it",
    "PersistentVolumeClaim": "its data goes with it",
    "Region": "a region goes with all that is in it",
    "StatefulSet": "its pods go, and what only they know",
    "StorageClass": "volumes that need it can no longer be made",
    "kubernetes": "another cluster takes its place",
}
"""Kinds of resources that hold what cannot simply be made again, and what is lost when one is deleted or
replaced."""

_TRAFFIC: Mapping[str, str] = {
    "AuthorizationPolicy": "who may call whom changes",
    "BGPAdvertisement": "where addresses are announced changes",
    "Certificate": "what is served is signed anew",
    "DaemonSet": "its pods start anew, node by node",
    "Deployment": "its pods start anew",
    "DestinationRule": "how requests are spread changes",
    "EnvoyFilter": "what proxies do with requests changes",
    "Gateway": "what the gateway listens to changes",
    "GatewayClass": "who runs gateways changes",
    "HTTPRoute": "where requests go changes",
    "Ingress": "where requests go changes",
    "IngressClass": "who runs ingresses changes",
    "IPAddressPool": "which addresses gateways may have changes",
    "L2Advertisement": "where addresses are announced changes",
    "MutatingWebhookConfiguration": "which pods get a sidecar changes",
    "NetworkPolicy": "who may call whom changes",
    "PeerAuthentication": "what plain requests are met with changes",
    "RequestAuthentication": "which tokens are accepted changes",
    "Service": "how its pods are reached changes",
    "ServiceEntry": "what the mesh knows of the outside changes",
    "Sidecar": "what proxies know changes",
    "VirtualService": "where requests go changes",
}
"""Kinds of resources whose update, replacement or deletion requests may notice, and why."""

_RIGHTS = "what runs by these rights may lose them"
_NEEDED: Mapping[str, str] = {
    "APIService": "an API that programs ask is served no more",
    "ClusterRole": _RIGHTS,
    "ClusterRoleBinding": _RIGHTS,
    "EndpointSlice": "where a service leads changes",
    "Role": _RIGHTS,
    "RoleBinding": _RIGHTS,
    "ServiceAccount": _RIGHTS,
    "ValidatingWebhookConfiguration": "what is refused changes",
}
"""Kinds of resources that others need: their loss is noticed, and their update is not by itself."""

_CUTS = frozenset(
    {"AuthorizationPolicy", "EnvoyFilter", "NetworkPolicy", "PeerAuthentication", "RequestAuthentication"}
)
"""Kinds whose creation in a namespace that is there already may refuse requests that were answered before."""

_ADDRESS = "metallb.io/loadBalancerIPs"
"""Annotation by which a service asks for an address."""


def assess(changes: ChangeSet) -> ChangeSet:
    """Give each change its risk and blast radius, and put the worst first.

    Shares of traffic rest on an assumption: all regions that serve are sent the same amount (all healthy
    gateways are answered), and within a region all worker nodes carry the same. None: it cannot be said.
    """
    scope = _Scope(changes)
    assessed = [scope.assess(change) for change in changes.changes]
    return replace(changes, changes=tuple(sorted(assessed, key=_order)))


def _order(change: Change) -> tuple[int, float, int, int, str]:
    blast = change.blast
    share = 1.0 if blast.traffic is None else blast.traffic
    return change.risk.rank, -share, -len(blast.clusters), -len(blast.nodes), change.urn


class _Scope:
    """What there is before the change; nothing else can be hurt."""

    def __init__(self, changes: ChangeSet) -> None:
        before = changes.before
        self._belonging = Belonging.of(changes)
        self._there = Belonging(before)
        self._namespaces = {
            (self._belonging.region(found), found.inputs.get("metadata", {}).get("name"))
            for found in before
            if kind(found) == "Namespace"
        }
        self._exposed = _exposed(before)
        self._served = _hosts(changes.after)

    def assess(self, change: Change) -> Change:
        risk, why = self._risk(change)
        return replace(change, risk=risk, why=why, blast=self._blast(change, risk))

    def _risk(self, change: Change) -> tuple[Risk, str]:
        resource, name = change.resource, kind(change.resource)
        goes = change.op in (Op.DELETE, Op.REPLACE)
        if resource.type == HOST_PHASE:
            return self._host_risk(change, goes)
        if goes and name in _LOSSES:
            return Risk.DESTRUCTIVE, _LOSSES[name]
        if name in ("Secret", "ConfigMap") and change.op is not Op.CREATE:
            if name == "Secret" or _is_mesh_configuration(resource):
                return Risk.TRAFFIC, "what proxies and gateways are configured with changes"
            return Risk.ORDINARY, ""
        if name == "CertificateAuthority" and change.op is Op.UPDATE:
            return Risk.TRAFFIC, "what is signed by it is issued anew"
        if name == "Service" and _takes_its_address_away(change):
            return Risk.DESTRUCTIVE, "the address that clients know is taken away"
        if name == "Ingress" and (lost := _hosts((change.old,)) - self._served):
            return Risk.DESTRUCTIVE, f"{', '.join(sorted(lost))} is answered no more"
        if goes and name in _NEEDED:
            return Risk.TRAFFIC, _NEEDED[name]
        if name in _TRAFFIC and change.op is not Op.CREATE:
            return Risk.TRAFFIC, "it goes" if change.op is Op.DELETE else _TRAFFIC[name]
        if name in _CUTS and self._namespace_is_there(resource):
            return Risk.TRAFFIC, _TRAFFIC[name]
        return Risk.ORDINARY, ""

    def _host_risk(self, change: Change, goes: bool) -> tuple[Risk, str]:
        if change.op is Op.CREATE:
            return Risk.ORDINARY, ""
        old = change.old or change.resource
        if goes and old.inputs.get("reset_on_delete"):
            return Risk.DESTRUCTIVE, "the host is reset: what the phase made is taken away"
        if change.op is Op.DELETE:
            return Risk.ORDINARY, ""
        if change.op is Op.UPDATE and _address(old) != _address(change.resource):
            return Risk.DESTRUCTIVE, "another machine takes its place, and this one stays as it is"
        if change.properties and all(entry.path in RECORDED for entry in change.properties):
            return Risk.ORDINARY, ""
        phase = PHASES.get(phase_of(old))
        return Risk.TRAFFIC, phase.change if phase else "the host is changed"

    def _namespace_is_there(self, resource: Resource) -> bool:
        namespace = resource.inputs.get("metadata", {}).get("namespace")
        return (self._belonging.region(resource), namespace) in self._namespaces

    def _blast(self, change: Change, risk: Risk) -> Blast:
        resource = change.old or change.resource
        region = self._belonging.region(resource)
        regions = (region,) if region else tuple(sorted(self._there.regions))
        if resource.type == HOST_PHASE:
            return self._host_blast(resource, region, risk)
        whole = risk is Risk.DESTRUCTIVE and kind(resource) in (
            "Region",
            "BareMetalCluster",
            "AdoptedCluster",
        )
        on_all_nodes = whole or kind(resource) == "DaemonSet"
        nodes = {node for found in regions if on_all_nodes for node in self._there.nodes.get(found, ())}
        hosts = self._there.edges.get(region, set()) if whole else set()
        traffic = 0.0 if risk is Risk.ORDINARY else self._share(resource, regions)
        return Blast(regions, tuple(sorted(nodes)), tuple(sorted(hosts)), traffic)

    def _host_blast(self, resource: Resource, region: str, risk: Risk) -> Blast:
        host = host_of(resource)
        regions = (region,) if region else ()
        if host not in self._belonging.nodes.get(region, ()):
            servers = sum(len(found) for found in self._there.edges.values())
            concerned = self._exposed and risk is not Risk.ORDINARY
            return Blast(regions, (), (host,), _part(1.0, servers) if concerned else 0.0)
        nodes = self._there.nodes.get(region, {host})
        if risk is Risk.ORDINARY:
            return Blast(regions, (host,))
        phase = PHASES.get(phase_of(resource))
        if phase is not None and phase.carries_cluster and risk is Risk.DESTRUCTIVE:
            return Blast(regions, tuple(sorted(nodes)), (), self._share(resource, regions))
        share = self._share(resource, regions)
        return Blast(regions, (host,), (), None if share is None else _part(share, len(nodes)))

    def _share(self, resource: Resource, regions: tuple[str, ...]) -> float | None:
        """The share of the world's traffic that goes through these regions, as far as this resource has a
        part in it.
        """
        if not self._exposed:
            return 0.0
        share = _part(1.0, len(self._there.regions)) * len(set(regions) & self._there.regions)
        application = _application(resource)
        if application is not None and application not in self._exposed:
            # Nothing from outside leads there; who inside calls it, the declaration does not say.
            return None
        return round(min(share, 1.0), 4)


def _exposed(resources: tuple[Resource, ...]) -> set[str]:
    """Names of the services that ingresses lead to."""
    return {
        str(((path.get("backend") or {}).get("service") or {}).get("name"))
        for rule in _ingress_rules(resources)
        for path in (rule.get("http") or {}).get("paths") or ()
    }


def _hosts(resources: Iterable[Resource | None]) -> set[str]:
    """The hosts of ingresses; `*` for any."""
    return {str(rule.get("host") or "*") for rule in _ingress_rules(resources)}


def _ingress_rules(resources: Iterable[Resource | None]) -> Iterator[Mapping[str, Any]]:
    for resource in resources:
        # A component has the same name, and holds one.
        if resource is not None and resource.custom and kind(resource) == "Ingress":
            for rule in (resource.inputs.get("spec") or {}).get("rules") or ():
                yield rule or {}


def _application(resource: Resource) -> str | None:
    """The application that an object is a part of; None for what belongs to the platform."""
    if "crossmesh:components:Application" not in resource.parent:
        return None
    return str((resource.inputs.get("metadata") or {}).get("name") or resource.name)


def _is_mesh_configuration(resource: Resource) -> bool:
    return "IstioControlPlane" in resource.parent or "PodNetwork" in resource.parent


def _address(phase: Resource) -> Any:
    connection = phase.inputs.get("connection")
    return connection.get("address") if isinstance(connection, Mapping) else None


def _takes_its_address_away(change: Change) -> bool:
    """Whether a service with an address of its own goes, or has it no more, or another one."""
    had = _asked(change.old)
    return had is not None and (change.op is Op.REPLACE or _asked(change.new) != had)


def _asked(service: Resource | None) -> Any:
    """The address that a service asks for from outside; None for none."""
    if service is None or (service.inputs.get("spec") or {}).get("type") != "LoadBalancer":
        return None
    return ((service.inputs.get("metadata") or {}).get("annotations") or {}).get(_ADDRESS)


def _part(share: float, of: int) -> float:
    return round(share / of, 4) if of else 0.0
