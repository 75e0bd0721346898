"""Why a workload is not ready, in the words of its pods, their containers and their events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from access.cluster import Cluster
from access.errors import AccessError

_STARTING = timedelta(minutes=1)
FIXES = {
    "ImagePullBackOff": "Give the node the image: a registry it reaches, or the site's image bundle.",
    "ErrImagePull": "Give the node the image: a registry it reaches, or the site's image bundle.",
    "ErrImageNeverPull": "Load the image on the node; its pull policy forbids fetching it.",
    "InvalidImageName": "Correct the image's name in the stack file.",
    "CrashLoopBackOff": "Read its log (`kubectl logs --previous`) and mend what it complains about.",
    "OOMKilled": "Give the container more memory.",
    "CreateContainerConfigError": "Create the ConfigMap or Secret that it names: run `pulumi up`.",
    "FailedMount": "Create the ConfigMap or Secret that it names: run `pulumi up`.",
    "FailedCreatePodSandBox": "Look at the container runtime and the CNI configuration of its node.",
    "Unschedulable": "Add room or a node, or remove the taint that it names.",
    "FailedScheduling": "Add room or a node, or remove the taint that it names.",
    "FailedCreate": "Mend what refuses the pod: admission (pod security, the injector's webhook) or a quota.",
    "Unhealthy": "See what its readiness probe asks for and why the container does not answer.",
}


def why(pod: Any) -> list[tuple[str, str]]:
    """Reasons, each as (reason, words), why a pod (of the Kubernetes client) is not ready. Empty if it is."""
    reasons: list[tuple[str, str]] = []
    statuses = [*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())]
    for status in statuses:
        state, last = status.state, status.last_state
        waiting = state.waiting if state else None
        ended = (state.terminated if state else None) or (last.terminated if last else None)
        if waiting and waiting.reason not in ("PodInitializing", "ContainerCreating"):
            message = f": {waiting.message}" if waiting.message else ""
            reasons.append((waiting.reason or "Waiting", f"container {status.name} is waiting{message}"))
        if ended and ended.exit_code and not status.ready:
            message = f": {ended.message.strip()}" if ended.message else ""
            reasons.append(
                (ended.reason or "Error", f"container {status.name} ended with {ended.exit_code}{message}")
            )
    for condition in pod.status.conditions or ():
        if (
            condition.status == "False"
            and condition.message
            and (condition.type == "PodScheduled" or not reasons)
        ):
            reasons.append((condition.reason or condition.type, condition.message))
    if pod.metadata.deletion_timestamp:
        reasons.append(("Terminating", "the pod is being deleted"))
    return reasons


def explain(cluster: Cluster, namespace: str, selector: str, owner: str = "") -> tuple[list[str], list[str]]:
    """Sentences why the pods of a selector are not ready, and fixes, from pods, events and logs.

    `owner` is the name of the workload; its own events tell when no pod could be made at all.
    """
    pods = cluster.core.list_namespaced_pod(namespace, label_selector=selector).items
    words: list[str] = []
    reasons: list[str] = []

    def tell(about: str, why: list[tuple[str, str]]) -> None:
        words.extend(f"{about}: {reason}: {text}" for reason, text in why)
        reasons.extend(reason for reason, _ in why)

    for pod in pods:
        if not is_ready(pod):
            name = pod.metadata.name
            tell(
                f"pod {name} on {pod.spec.node_name or 'no node'}",
                (why(pod) + _events(cluster, namespace, name))[:4],
            )
            words += _last_words(cluster, pod)
    if not pods and owner:
        tell(owner, _events(cluster, namespace, owner, prefix=True))
        if not words:
            words.append(f"there is no pod with {selector} in namespace {namespace}")
    return words, list(dict.fromkeys(FIXES[reason] for reason in reasons if reason in FIXES))


def says(item: Any, *conditions: str) -> bool:
    """Whether an object (of the Kubernetes client) has one of these conditions, and it is true."""
    return any(c.type in conditions and c.status == "True" for c in item.status.conditions or ())


def is_ready(pod: Any) -> bool:
    """Whether a pod (of the Kubernetes client) says that it is ready and is not about to go."""
    return says(pod, "Ready") and not pod.metadata.deletion_timestamp


def is_starting(pod: Any) -> bool:
    """Whether a pod that is not ready was made, or had a container started, within the last minute."""
    states = [status.state for status in pod.status.container_statuses or ()]
    begun = [state.running.started_at for state in states if state and state.running]
    latest = max((time for time in (pod.metadata.creation_timestamp, *begun) if time), default=None)
    return latest is not None and not is_ready(pod) and datetime.now(UTC) - latest < _STARTING


def selecting(labels: Mapping[str, str] | None) -> str:
    """The selector of all that has these labels."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def _events(cluster: Cluster, namespace: str, name: str, *, prefix: bool = False) -> list[tuple[str, str]]:
    selector = "type=Warning" if prefix else f"type=Warning,involvedObject.name={name}"
    events = cluster.core.list_namespaced_event(namespace, field_selector=selector).items
    latest: dict[str, str] = {}
    for event in events:
        if event.involved_object.name.startswith(name):
            latest[event.reason or "Warning"] = (event.message or "").strip()
    return list(latest.items())


def _last_words(cluster: Cluster, pod: Any) -> list[str]:
    """The last line that each restarting container wrote before it ended."""
    words = []
    for status in [*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())]:
        if status.ready or not status.restart_count:
            continue
        try:
            log = cluster.core.read_namespaced_pod_log(
                pod.metadata.name, pod.metadata.namespace, container=status.name, previous=True, tail_lines=3
            )
        except AccessError:
            continue
        lines = [line.strip() for line in (log or "").splitlines() if line.strip()]
        if lines:
            words.append(f"container {status.name} last said: {lines[-1][:300]}")
    return words
