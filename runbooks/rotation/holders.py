"""Pods that ask the API server and hold an earlier bundle of authorities: programs read it when they start.

Every pod has the bundle (`kube-root-ca.crt`), and files in it follow by themselves. What asks the API server
by the client of Kubernetes reads it once. So that is started anew which is of the platform, or has an account
of its own: the default one of a namespace may ask for nothing. Proxies of the mesh ask istiod alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from access.cluster import Cluster
from stacks.system_namespaces import ISTIO_SYSTEM, KUBE_SYSTEM, METALLB_SYSTEM, SYSTEM_NAMESPACES

BUNDLE = "kube-root-ca.crt"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""As `kubectl rollout restart` has it."""
_PROXIES = {"istio-proxy", "istio-init", "istio-validation"}
_PATHS = {"Deployment": "deployments", "DaemonSet": "daemonsets", "StatefulSet": "statefulsets"}
_FIRST = (KUBE_SYSTEM, METALLB_SYSTEM, ISTIO_SYSTEM)


@dataclass(frozen=True)
class Holder:
    """What makes such pods."""

    kind: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/{_PATHS[self.kind]}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def stale(cluster: Cluster) -> list[Holder]:
    """What has pods from before the bundle of today, the platform's own first. Pods that nobody makes anew
    are none of it."""
    bundles = cluster.get(f"/api/v1/configmaps?fieldSelector=metadata.name%3D{BUNDLE}") or {}
    since = {one["metadata"]["namespace"]: _changed(one) for one in bundles.get("items") or ()}
    found = set()
    for pod in (cluster.get("/api/v1/pods") or {}).get("items") or ():
        created = pod["metadata"]["creationTimestamp"]
        if _lives(pod) and asks(pod) and created < since.get(pod["metadata"]["namespace"], ""):
            found |= _maker(cluster, pod)
    return sorted(found, key=_order)


def _lives(pod: Mapping[str, Any]) -> bool:
    """Whether it is not about to go, or at its end."""
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not ended and not pod["metadata"].get("deletionTimestamp")


def asks(pod: Mapping[str, Any]) -> bool:
    """Whether a pod may ask the API server by a bundle that it read when it started."""
    spec, namespace = pod["spec"], pod["metadata"]["namespace"]
    volumes = {volume["name"] for volume in spec.get("volumes") or () if _has_bundle(volume)}
    mounting = {
        container["name"]
        for container in spec.get("containers") or ()
        if volumes & {mount["name"] for mount in container.get("volumeMounts") or ()}
    }
    own = spec.get("serviceAccountName", "default") != "default"
    return bool(mounting - _PROXIES) and (own or namespace in SYSTEM_NAMESPACES)


def _has_bundle(volume: Mapping[str, Any]) -> bool:
    sources = (volume.get("projected") or {}).get("sources") or ()
    return any((source.get("configMap") or {}).get("name") == BUNDLE for source in sources)


def _changed(config_map: Mapping[str, Any]) -> str:
    """When a bundle became what it is."""
    times = [str(one.get("time", "")) for one in config_map["metadata"].get("managedFields") or ()]
    return max([*times, str(config_map["metadata"]["creationTimestamp"])])


def _maker(cluster: Cluster, pod: Mapping[str, Any]) -> set[Holder]:
    namespace, owners = pod["metadata"]["namespace"], _owners(pod)
    for owner in list(owners):
        if owner["kind"] == "ReplicaSet":
            path = f"/apis/apps/v1/namespaces/{namespace}/replicasets/{owner['name']}"
            owners = [*owners, *_owners(cluster.get(path) or {})]
    return {Holder(one["kind"], namespace, one["name"]) for one in owners if one["kind"] in _PATHS}


def _owners(of: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((of.get("metadata") or {}).get("ownerReferences") or ())


def _order(holder: Holder) -> tuple[int, str, str, str]:
    places = {name: number for number, name in enumerate(_FIRST)}
    return places.get(holder.namespace, len(_FIRST)), holder.namespace, holder.kind, holder.name


def restart(cluster: Cluster, holder: Holder) -> None:
    """Have its pods made anew, in the turns that it declares."""
    moment = {"annotations": {_RESTARTED: datetime.now(UTC).isoformat(timespec="seconds")}}
    cluster.patch(holder.path, {"spec": {"template": {"metadata": moment}}})


def unfinished(cluster: Cluster, holder: Holder) -> str:
    """What its pods still lack; empty once all are new and available."""
    found = cluster.get(holder.path)
    if found is None:
        return ""
    status, wanted = found.get("status") or {}, found["metadata"]["generation"]
    if status.get("observedGeneration", 0) < wanted:
        return "it was not seen yet"
    if holder.kind == "DaemonSet":
        counts = _counts(status, ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"))
    else:
        replicas = found["spec"].get("replicas", 1)
        counts = [replicas, *_counts(status, ("updatedReplicas", "availableReplicas", "replicas"))]
    return "" if len(set(counts)) == 1 else f"{min(counts)} of {counts[0]} pods are new and available"


def _counts(status: Mapping[str, Any], keys: Iterable[str]) -> list[int]:
    return [int(status.get(key) or 0) for key in keys]
