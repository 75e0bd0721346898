"""What of a cluster is reached from outside, and what answers there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policies.objects import Declared, Object, Unknowns, at, items, selects

_MESH = "mesh"
ROUTES = frozenset({"GRPCRoute", "HTTPRoute", "TCPRoute", "TLSRoute"})
"""Kinds of the Gateway API, which has gateways of its own."""
WORKLOADS = frozenset({"DaemonSet", "Deployment", "StatefulSet"})
KINDS = frozenset(
    {
        "AuthorizationPolicy",
        "HorizontalPodAutoscaler",
        "Ingress",
        "PodDisruptionBudget",
        "RequestAuthentication",
        "Service",
        "VirtualService",
        *ROUTES,
        *WORKLOADS,
    }
)
"""What has a part in exposing anything."""
OUTSIDE = frozenset({"LoadBalancer", "NodePort"})
"""Types of services that are reached from outside of their cluster."""

Service = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True)
class Exposure:
    """An object that leads requests from outside to services."""

    by: Declared
    services: tuple[Service, ...]
    """Sorted."""


@dataclass(frozen=True)
class Workload:
    """Pods that answer for a service that is exposed."""

    declared: Declared
    labels: Object
    """Of the pods."""
    replicas: int | None
    """The fewest there are; None for one on each node."""
    exposed_by: Declared


def exposures(found: Sequence[Declared], unknowns: Unknowns) -> list[Exposure]:
    """What exposes services of a cluster, in the order of its objects."""
    made = []
    for entry in found:
        with unknowns.put_off():
            if services := sorted(set(_services(entry))):
                made.append(Exposure(entry, tuple(services)))
    return made


def workloads(found: Sequence[Declared], led_to: Sequence[Exposure], unknowns: Unknowns) -> list[Workload]:
    """The workloads behind what is exposed, each once, in the order of the cluster's objects."""
    selectors: list[tuple[str, Object, Declared]] = []
    services = {(entry.namespace, entry.name): entry for entry in found if entry.kind == "Service"}
    for exposure in led_to:
        for service in exposure.services:
            with unknowns.put_off():
                if service in services and (selector := at(services[service].props, "spec", "selector")):
                    selectors.append((service[0], selector, exposure.by))
    scaled = _autoscaled(found, unknowns)
    made = []
    for entry in found:
        if entry.kind not in WORKLOADS:
            continue
        with unknowns.put_off():
            labels = at(entry.props, "spec", "template", "metadata", "labels")
            by = next(
                (by for space, selector, by in selectors if _leads(space, selector, entry, labels)), None
            )
            if by is not None:
                least = scaled.get((entry.kind, entry.namespace, entry.name))
                made.append(Workload(entry, labels, _replicas(entry) if least is None else least, by))
    return made


def _leads(namespace: str, selector: Object, entry: Declared, labels: Object) -> bool:
    return namespace == entry.namespace and selects({"matchLabels": selector}, labels)


def _replicas(entry: Declared) -> int | None:
    if entry.kind == "DaemonSet":
        return None
    replicas = at(entry.props, "spec").get("replicas")
    return 1 if replicas is None else int(replicas)


def _autoscaled(found: Sequence[Declared], unknowns: Unknowns) -> dict[tuple[str, str, str], int]:
    """The fewest replicas that autoscalers leave, by kind, namespace and name of what they scale."""
    least = {}
    for entry in found:
        if entry.kind == "HorizontalPodAutoscaler":
            with unknowns.put_off():
                spec = at(entry.props, "spec")
                target = at(spec, "scaleTargetRef")
                key = (str(target.get("kind")), entry.namespace, str(target.get("name")))
                least[key] = int(spec.get("minReplicas") or 1)
    return least


def _services(entry: Declared) -> Iterator[Service]:
    """The services that an object leads requests from outside to."""
    spec = at(entry.props, "spec")
    if entry.kind == "Service" and spec.get("type") in OUTSIDE:
        yield entry.namespace, entry.name
    elif entry.kind == "Ingress":
        backends = [at(spec, "defaultBackend")]
        backends += [
            at(path, "backend") for rule in items(spec, "rules") for path in items(at(rule, "http"), "paths")
        ]
        for backend in backends:
            if name := at(backend, "service").get("name"):
                yield entry.namespace, str(name)
    elif entry.kind in ROUTES and _from_gateway(spec):
        for rule in items(spec, "rules"):
            for backend in items(rule, "backendRefs"):
                if (backend.get("kind") or "Service") == "Service":
                    yield str(backend.get("namespace") or entry.namespace), str(backend.get("name"))
    elif entry.kind == "VirtualService" and any(name != _MESH for name in items(spec, "gateways")):
        for protocol in ("http", "tcp", "tls"):
            for rule in items(spec, protocol):
                for route in items(rule, "route"):
                    yield _host(str(at(route, "destination").get("host")), entry.namespace)


def _from_gateway(spec: Object) -> bool:
    """Whether a route hangs on a gateway. On a Service it is for requests inside of the mesh."""
    return any((parent.get("kind") or "Gateway") == "Gateway" for parent in items(spec, "parentRefs"))


def _host(host: str, namespace: str) -> Service:
    """The service that a name means for an object of that namespace."""
    name, _, rest = host.partition(".")
    return (rest.partition(".")[0] or namespace), name
