"""What would stand in the way of a drain, known before the first cordon: pure, from what the API server
lists.

Looked at are disruption budgets, room on the other nodes by what pods ask for, pods that nobody makes
anew, data that lies on the node alone, and what is away while its only pod moves. Room is judged as the
scheduler does it, with node selectors, required node affinity and taints; what else a pod may want
(affinity among pods, spread) is not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from playbooks.provider.membership import BARRING, belongs_to_node, is_ready, name_of
from report.problem import Problem

Object = dict[str, Any]

NO_ROOM = "no-room"
BUDGET = "budget"
UNMANAGED = "unmanaged"
LOCAL_DATA = "local-data"
ALONE = "alone"
"""Kinds of problems; each can be accepted by its word but a budget, which the API server itself enforces."""

_OWNERS = {
    "ReplicaSet": "/apis/apps/v1/replicasets",
    "StatefulSet": "/apis/apps/v1/statefulsets",
}
_SIDECARS = ("workload-socket", "credential-socket", "workload-certs", "istio-envoy", "istio-data")
"""Volumes that injection adds: scratch space of the proxy."""
_MEASURES = ("cpu", "memory")


@dataclass(frozen=True)
class Live:
    """What a cluster lists."""

    nodes: Sequence[Object]
    pods: Sequence[Object]
    budgets: Sequence[Object]
    volumes: Sequence[Object] = ()
    """PersistentVolumes."""
    claims: Sequence[Object] = ()
    """PersistentVolumeClaims."""
    owners: Mapping[tuple[str, str, str], Object] = field(default_factory=dict)
    """ReplicaSets, StatefulSets and the like, by kind, namespace and name."""


def looked_at(get: Callable[[str], Object | None]) -> Live:
    """What a cluster lists. get: what its API has at a path."""

    def items(path: str) -> list[Object]:
        return list((get(path) or {}).get("items") or ())

    owners = {
        (kind, one["metadata"]["namespace"], one["metadata"]["name"]): one
        for kind, path in _OWNERS.items()
        for one in items(path)
    }
    return Live(
        nodes=items("/api/v1/nodes"),
        pods=items("/api/v1/pods"),
        budgets=items("/apis/policy/v1/poddisruptionbudgets"),
        volumes=items("/api/v1/persistentvolumes"),
        claims=items("/api/v1/persistentvolumeclaims"),
        owners=owners,
    )


def staying(live: Live, node: str) -> dict[str, str]:
    """Pods that a drain must leave where they are, since they would be lost or run nowhere, with why."""
    return {
        problem.about: problem.what
        for problem in problems(live, node)
        if problem.kind in (NO_ROOM, UNMANAGED, LOCAL_DATA)
    }


def lasting(live: Live, node: str) -> list[Problem]:
    """What no waiting mends: budgets that let a pod never go, however well all of its kind are."""
    return [
        problem
        for pod in movable(live, node)
        if len(own := _own_budgets(live, pod)) > 1 or any(_never_allows(budget, pod) for budget in own)
        for problem in _budgets(live, [pod])
    ]


def movable(live: Live, node: str) -> list[Object]:
    """Pods of a node that a drain moves."""
    here = (pod for pod in live.pods if (pod.get("spec") or {}).get("nodeName") == node)
    return [pod for pod in here if not belongs_to_node(pod)]


def problems(live: Live, node: str) -> list[Problem]:
    """All that stands against draining a node, worst first."""
    pods = movable(live, node)
    found = [
        *_budgets(live, pods),
        *_room(live, node, pods),
        *_unmanaged(pods),
        *_local_data(live, node, pods),
        *_alone(live, pods),
    ]
    return sorted(found, key=lambda problem: not problem.blocks)


def _budgets(live: Live, pods: Sequence[Object]) -> Iterable[Problem]:
    for pod in pods:
        own = _own_budgets(live, pod)
        if len(own) > 1:
            names = ", ".join(sorted(name_of(budget) for budget in own))
            yield Problem(
                f"{name_of(pod)} is under several disruption budgets ({names}): it cannot be evicted",
                "leave one of them",
                about=name_of(pod),
            )
        for budget in own[:1]:
            status = budget.get("status") or {}
            if int(status.get("disruptionsAllowed") or 0) > 0:
                continue
            healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
            yield Problem(
                f"{name_of(pod)} may not be evicted: the budget {name_of(budget)} allows no disruption now, "
                f"{healthy} of at least {wanted} pods are healthy",
                "mend the unhealthy pods, have one replica more, or have the budget allow one",
                about=name_of(pod),
            )


def _own_budgets(live: Live, pod: Object) -> list[Object]:
    return [budget for budget in live.budgets if _selects(budget, pod)]


def _never_allows(budget: Object, pod: Object) -> bool:
    """Whether a pod's own budget wants as many healthy pods as there are to be. One that is not ready may go
    all the same where the budget says so (`unhealthyPodEvictionPolicy`).
    """
    status = budget.get("status") or {}
    wants_all = 0 < int(status.get("expectedPods") or 0) <= int(status.get("desiredHealthy") or 0)
    always = (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
    return wants_all and (is_ready(pod) or not always)


def _selects(budget: Object, pod: Object) -> bool:
    if budget["metadata"].get("namespace") != pod["metadata"].get("namespace"):
        return False
    selector = (budget.get("spec") or {}).get("selector")
    return selector is not None and matches(selector, pod["metadata"].get("labels") or {})


def matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects; an empty one selects everything."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_meets(expression, labels) for expression in selector.get("matchExpressions") or ())


def _meets(expression: Object, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    value = labels.get(key)
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return value is not None and value.isdigit() and int(value) > int(values[0])
        case "Lt":
            return value is not None and value.isdigit() and int(value) < int(values[0])
    return False


def _room(live: Live, node: str, pods: Sequence[Object]) -> Iterable[Problem]:
    others = [other for other in live.nodes if other["metadata"]["name"] != node and _takes_any(other)]
    free = {other["metadata"]["name"]: _free(other, live.pods) for other in others}
    # The largest first: what has room then has it in any order but a few.
    for pod in sorted(pods, key=lambda pod: sorted(_asks(pod).values(), reverse=True), reverse=True):
        fitting = [other for other in others if _may_run(pod, other)]
        asks = _asks(pod)
        words = ", ".join(f"{measure} {_shown(measure, asks[measure])}" for measure in _MEASURES)
        if not fitting:
            yield Problem(
                f"{name_of(pod)} can run on no other node: selectors, affinity, taints or cordons of the "
                "others bar it",
                "bring another node that takes it, or accept that it ends",
                kind=NO_ROOM,
                about=name_of(pod),
            )
            continue
        for other in fitting:
            room = free[other["metadata"]["name"]]
            if all(room[measure] >= asks[measure] for measure in asks):
                for measure in asks:
                    room[measure] -= asks[measure]
                break
        else:
            names = ", ".join(other["metadata"]["name"] for other in fitting)
            yield Problem(
                f"{name_of(pod)} has no room elsewhere: it asks for {words}, and {names} has less",
                "bring another node, or have fewer replicas",
                kind=NO_ROOM,
                about=name_of(pod),
            )


def _takes_any(node: Object) -> bool:
    return is_ready(node) and not (node.get("spec") or {}).get("unschedulable")


def _free(node: Object, pods: Sequence[Object]) -> dict[str, Decimal]:
    status = node.get("status") or {}
    room = {
        measure: parse_quantity((status.get("allocatable") or {}).get(measure, "0")) for measure in _MEASURES
    }
    room["pods"] = parse_quantity((status.get("allocatable") or {}).get("pods", "110"))
    for pod in pods:
        phase = (pod.get("status") or {}).get("phase")
        here = (pod.get("spec") or {}).get("nodeName") == node["metadata"]["name"]
        if here and phase not in ("Succeeded", "Failed"):
            for measure, asked in _asks(pod).items():
                room[measure] -= asked
    return room


def _asks(pod: Object) -> dict[str, Decimal]:
    """What the scheduler counts of a pod: the sum of its containers, or its largest initialisation."""
    spec = pod.get("spec") or {}
    found = {"pods": Decimal(1)}
    for measure in _MEASURES:
        always = [
            *spec.get("containers", ()),
            *(one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"),
        ]
        total = sum((_request(one, measure) for one in always), Decimal(0))
        first = [_request(one, measure) for one in spec.get("initContainers") or ()]
        overhead = parse_quantity((spec.get("overhead") or {}).get(measure, "0"))
        found[measure] = max([total, *first]) + overhead
    return found


def _request(container: Object, measure: str) -> Decimal:
    requests = (container.get("resources") or {}).get("requests") or {}
    return Decimal(parse_quantity(requests.get(measure, "0")))


def _shown(measure: str, amount: Decimal) -> str:
    if measure == "cpu":
        return f"{int(amount * 1000)}m"
    return f"{amount / 2**20:.0f}Mi"


def _may_run(pod: Object, node: Object) -> bool:
    spec, labels = pod.get("spec") or {}, node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    terms = required.get("nodeSelectorTerms") or ()
    if terms and not any(_term(term, node, labels) for term in terms):
        return False
    taints = (node.get("spec") or {}).get("taints") or ()
    return all(
        any(_tolerates(toleration, taint) for toleration in spec.get("tolerations") or ())
        for taint in taints
        if taint["effect"] in BARRING
    )


def _term(term: Object, node: Object, labels: Mapping[str, str]) -> bool:
    by_field = {"metadata.name": node["metadata"]["name"]}
    return all(_meets(one, labels) for one in term.get("matchExpressions") or ()) and all(
        _meets(one, by_field) for one in term.get("matchFields") or ()
    )


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    key = toleration.get("key")
    if not key:
        return toleration.get("operator") == "Exists"
    if key != taint["key"]:
        return False
    return toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", "")


def _unmanaged(pods: Sequence[Object]) -> Iterable[Problem]:
    for pod in pods:
        if not any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences") or ()):
            yield Problem(
                f"{name_of(pod)} belongs to nobody who would make it anew: evicted, it is gone",
                "have a Deployment or its like make it, or accept its end",
                kind=UNMANAGED,
                about=name_of(pod),
            )


def _local_data(live: Live, node: str, pods: Sequence[Object]) -> Iterable[Problem]:
    volumes = {volume["metadata"]["name"]: volume for volume in live.volumes}
    claims = {name_of(claim): claim for claim in live.claims}
    for pod in pods:
        for volume in (pod.get("spec") or {}).get("volumes") or ():
            where = f"{name_of(pod)}, volume {volume['name']}"
            scratch = volume["name"] in _SIDECARS or (volume.get("emptyDir") or {}).get("medium") == "Memory"
            if "emptyDir" in volume and not scratch:
                yield Problem(f"{where}: an emptyDir, whose content ends with the pod", blocks=False)
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            found = claims.get(f"{pod['metadata'].get('namespace', '')}/{claim}") if claim else None
            bound = volumes.get(((found or {}).get("spec") or {}).get("volumeName", ""))
            if bound and _only_here(bound, node, live.nodes):
                yield Problem(
                    f"{where}: its data lies on this node alone ({bound['metadata']['name']}); it cannot "
                    "start elsewhere",
                    "move the data first, or accept that the pod waits until the node is back",
                    kind=LOCAL_DATA,
                    about=name_of(pod),
                )


def _only_here(volume: Object, node: str, nodes: Sequence[Object]) -> bool:
    spec = volume.get("spec") or {}
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
    if not terms:
        return "hostPath" in spec or "local" in spec
    fitting = {
        one["metadata"]["name"]
        for one in nodes
        if any(_term(term, one, one["metadata"].get("labels") or {}) for term in terms)
    }
    return fitting <= {node}


def _alone(live: Live, pods: Sequence[Object]) -> Iterable[Problem]:
    for pod in pods:
        metadata = pod["metadata"]
        owner = next((one for one in metadata.get("ownerReferences") or () if one.get("controller")), None)
        if owner is None:
            continue
        found = live.owners.get((owner["kind"], metadata.get("namespace", ""), owner["name"]))
        if found and (found.get("spec") or {}).get("replicas") == 1:
            yield Problem(
                f"{name_of(pod)} is the only one of its {owner['kind']} {owner['name']}: it answers nobody "
                "while it moves",
                "have a second replica",
                blocks=False,
            )
