"""The platform's own parts and their pods: are they ready, and if not, what do they say?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from access.cluster import Cluster
from live.doctor import foundations, keys, pods
from live.doctor.keys import Key
from live.doctor.model import Check, Evidence, Finding, Watch, once_settled
from live.doctor.platform import Platform

_LOOK_SECONDS = 4.0
"""What is left for one more look, so that it can say what it met."""


@dataclass(frozen=True)
class Part:
    """A part of the platform: the Deployments and DaemonSets of a namespace that carry a label."""

    name: str
    namespace: str
    selector: str
    declared: str
    """Its key in the declaration, with dots; `{}` is the region."""
    at_least: int = 1


@dataclass(frozen=True)
class Workload:
    """A Deployment or DaemonSet: how many of its pods are ready and how many are wanted."""

    name: str
    ready: int
    wanted: int
    selector: str
    nobody: str
    """What it means that no pod is wanted."""

    @classmethod
    def of_deployment(cls, item: Any) -> Workload:
        """From a Deployment of the Kubernetes client."""
        wanted = 1 if item.spec.replicas is None else item.spec.replicas
        selector = pods.selecting(item.spec.selector.match_labels)
        return cls(item.metadata.name, item.status.ready_replicas or 0, wanted, selector, "is scaled to 0")

    @classmethod
    def of_daemon_set(cls, item: Any) -> Workload:
        """From a DaemonSet of the Kubernetes client."""
        ready, wanted = item.status.number_ready or 0, item.status.desired_number_scheduled or 0
        selector = pods.selecting(item.spec.selector.match_labels)
        return cls(item.metadata.name, ready, wanted, selector, "is for no node that there is")


def part_checks(
    platform: Platform,
    column: str,
    part: Part,
    rests_on: Callable[[Platform, str], tuple[Key, ...]] = foundations.services,
    where: Callable[[str], bool] = lambda region: True,
) -> list[Check]:
    """The checks that a part is ready, in each region where it belongs."""
    run, key = partial(check_part, part), partial(keys.part, part.name)
    title = f"{part.name} of {{}} is ready"
    return platform.per_region(column, key, title, run, part.declared, rests_on, where=where)


def check_part(part: Part, platform: Platform, region: str, watch: Watch) -> Finding:
    """Every workload of a part has all the ready pods that it asks for.

    What has just been started is let become ready: `up` waits for what it makes, and not for what kubeadm and
    Kubernetes make of that.
    """
    look = partial(_look, part, platform.clusters[region], region, watch)
    return once_settled(look, watch, watch.deadline - _LOOK_SECONDS)


def _look(part: Part, cluster: Cluster, region: str, watch: Watch) -> tuple[Finding, str]:
    """The finding of one look, and in words that a pod which is not ready is too young to be judged."""
    evidence = Evidence(f"all pods of {part.name} ready")
    watch.at(f"workloads of {part.name} in {region}")
    options = {"label_selector": part.selector}
    deployments = cluster.apps.list_namespaced_deployment(part.namespace, **options).items
    daemon_sets = cluster.apps.list_namespaced_daemon_set(part.namespace, **options).items
    workloads = [Workload.of_deployment(d) for d in deployments]
    workloads += [Workload.of_daemon_set(d) for d in daemon_sets]
    if len(workloads) < part.at_least:
        evidence.problem(
            f"{len(workloads)} of {part.at_least} workloads with {part.selector} are in namespace "
            f"{part.namespace}",
            "Run `pulumi up` again.",
        )
    starting = False
    for workload in workloads:
        if workload.ready >= workload.wanted and workload.wanted > 0:
            evidence.note(f"{workload.name}: {workload.ready} of {workload.wanted} ready")
        elif workload.wanted == 0:
            evidence.problem(
                f"{workload.name} {workload.nobody}",
                f"Bring it back: `pulumi up --refresh`, or see `kubectl -n {part.namespace} get "
                f"deployment,daemonset {workload.name}`.",
            )
        else:
            explain_unready(cluster, part.namespace, workload, evidence)
            there = cluster.core.list_namespaced_pod(part.namespace, label_selector=workload.selector).items
            starting |= any(pods.is_starting(pod) for pod in there)
    counts = ", ".join(f"{workload.name} {workload.ready}/{workload.wanted}" for workload in workloads)
    begun = f"pods of {part.name} in {region} that have just been started" if starting else ""
    return evidence.finding(counts or "nothing"), begun


def explain_unready(cluster: Cluster, namespace: str, workload: Workload, evidence: Evidence) -> None:
    """Record that a workload is not ready, with why and what mends it."""
    name, selector = workload.name, workload.selector
    words, fixes = pods.explain(cluster, namespace, selector, owner=name)
    why = "; ".join(words) or "no reason is given"
    evidence.problem(f"{name} has {workload.ready} of {workload.wanted} pods ready: {why}")
    for fix in fixes or [f"Read `kubectl -n {namespace} describe pod -l {selector}`."]:
        if fix not in evidence.fixes:
            evidence.fixes.append(fix)


def has_sidecar(pod: Any) -> bool:
    """Whether the pod has Istio's proxy, as a container or as a native sidecar."""
    containers = [*(pod.spec.containers or ()), *(pod.spec.init_containers or ())]
    return any(container.name == "istio-proxy" for container in containers)


def mesh_pods(platform: Platform, region: str) -> list[Any]:
    """Ready pods with sidecars in the declared, injected namespaces of a region, sorted by name."""
    listed: list[Any] = []
    for namespace, spec in sorted(platform.stack.environment.namespaces.items()):
        if spec.injection:
            listed += platform.clusters[region].core.list_namespaced_pod(namespace).items
    ready = [pod for pod in listed if has_sidecar(pod) and pods.is_ready(pod)]
    return sorted(ready, key=lambda pod: pod.metadata.name)
