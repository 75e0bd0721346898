"""What of a cluster is reached from outside, and what answers there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pulumi_policy.proxy import UNKNOWN_OBJECT_VALUE, UnknownValueError

from components.values import exposure
from components.values.exposure import Name, UnreadableError, from_outside
from policies.objects import Declared, Object, Unknowns, at, selects

WORKLOADS = frozenset({"DaemonSet", "Deployment", "StatefulSet"})
KINDS = frozenset(
    {
        "AuthorizationPolicy",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "RequestAuthentication",
        "Service",
        *(kind for _, kind in exposure.ROUTES),
        *WORKLOADS,
    }
)
"""What has a part in exposing anything."""


@dataclass(frozen=True)
class Workload:
    """Pods that answer for a service that is exposed."""

    declared: Declared
    labels: Object
    """Of the pods."""
    replicas: int | None
    """The fewest there are; None for one on each node."""
    exposed_by: Declared


def exposures(found: Sequence[Declared], unknowns: Unknowns) -> Iterator[tuple[Declared, list[Name]]]:
    """What leads requests from outside to services of a cluster, with these, sorted."""
    for entry in found:
        with unknowns.put_off():
            if services := sorted(set(_services(entry))):
                yield entry, services


def workloads(found: Sequence[Declared], unknowns: Unknowns) -> list[Workload]:
    """The workloads behind what is exposed, each once, in the order of the cluster's objects."""
    selectors: list[tuple[str, Object, Declared]] = []
    services = {(entry.namespace, entry.name): entry for entry in found if entry.kind == "Service"}
    for by, names in exposures(found, unknowns):
        for name in names:
            with unknowns.put_off():
                if name in services and (selector := at(services[name].props, "spec", "selector")):
                    selectors.append((name[0], {"matchLabels": selector}, by))
    scaled = _autoscaled(found, unknowns)
    made = []
    for entry in found:
        if entry.kind not in WORKLOADS:
            continue
        with unknowns.put_off():
            labels = at(entry.props, "spec", "template", "metadata", "labels")
            own = ((selector, by) for space, selector, by in selectors if space == entry.namespace)
            exposed_by = next((by for selector, by in own if selects(selector, labels)), None)
            if exposed_by is not None:
                least = scaled.get((entry.kind, entry.namespace, entry.name))
                made.append(Workload(entry, labels, _replicas(entry) if least is None else least, exposed_by))
    return made


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


def _services(entry: Declared) -> Iterator[Name]:
    """The services that an object leads requests from outside to."""
    if entry.kind == "Service":
        if from_outside(at(entry.props, "spec")):
            yield entry.namespace, entry.name
        return
    try:
        for way in exposure.exposures(entry.group, entry.kind, entry.props):
            if way.outside:
                yield from (backend.service for backend in way.backends if backend.service)
    except UnreadableError as error:
        raise UnknownValueError(UNKNOWN_OBJECT_VALUE, ["spec"]) from error
