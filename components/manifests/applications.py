"""A stateless HTTP service: its account, deployment, service and disruption budget."""

from __future__ import annotations

from typing import Any

from components.manifests import Manifest, named, spread
from stacks.model import ApplicationSpec

_NAME_LABEL = "app.kubernetes.io/name"


def objects(name: str, spec: ApplicationSpec, *, region: str) -> list[Manifest]:
    """All objects of an application in one region, in the order in which they depend on each other."""
    budget = [disruption_budget(name, spec)] if spec.replicas > 1 else []
    return [service_account(name, spec), service(name, spec), deployment(name, spec, region=region), *budget]


def service_account(name: str, spec: ApplicationSpec) -> Manifest:
    """The account that gives the application its own identity in the mesh."""
    return named(
        "v1", "ServiceAccount", name, spec.namespace, labels=_labels(name), automountServiceAccountToken=False
    )


def service(name: str, spec: ApplicationSpec) -> Manifest:
    """The ClusterIP service, on the application's own port. Its port's name tells the mesh the protocol."""
    port = {"appProtocol": "http", "name": "http", "port": spec.port, "protocol": "TCP", "targetPort": "http"}
    content = {"ports": [port], "selector": _labels(name), "type": "ClusterIP"}
    return named("v1", "Service", name, spec.namespace, labels=_labels(name), spec=content)


def deployment(name: str, spec: ApplicationSpec, *, region: str) -> Manifest:
    """The deployment: probed, without privileges, spread over nodes."""
    pod = {
        "automountServiceAccountToken": False,
        "containers": [_container(name, spec, region=region)],
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "serviceAccountName": name,
        "topologySpreadConstraints": spread(_labels(name)),
    }
    content = {
        "replicas": spec.replicas,
        "selector": {"matchLabels": _labels(name)},
        "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}, "type": "RollingUpdate"},
        "template": {"metadata": {"labels": {"app": name, **_labels(name)}}, "spec": pod},
    }
    return named("apps/v1", "Deployment", name, spec.namespace, labels=_labels(name), spec=content)


def disruption_budget(name: str, spec: ApplicationSpec) -> Manifest:
    """Take one pod away at a time when nodes are drained."""
    content = {"maxUnavailable": 1, "selector": {"matchLabels": _labels(name)}}
    return named("policy/v1", "PodDisruptionBudget", name, spec.namespace, labels=_labels(name), spec=content)


def _container(name: str, spec: ApplicationSpec, *, region: str) -> dict[str, Any]:
    return {
        "env": _environment(name, spec, region=region),
        "image": spec.image,
        "livenessProbe": _probe(spec.liveness_path, period=10),
        "name": "application",
        "ports": [{"containerPort": spec.port, "name": "http", "protocol": "TCP"}],
        "readinessProbe": _probe(spec.readiness_path, period=2),
        "resources": spec.resources.model_dump(exclude_none=True),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }


def _environment(name: str, spec: ApplicationSpec, *, region: str) -> list[dict[str, Any]]:
    """Where the process runs, and what the declaration says. A cluster has its region's name."""
    given: dict[str, Any] = {
        "CLUSTER_NAME": {"value": region},
        "NODE_NAME": {"valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        "POD_NAME": {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        "REGION_NAME": {"value": region},
        "SERVICE_NAME": {"value": name},
    }
    declared = {key: {"value": value} for key, value in spec.environment.items()}
    return [{"name": key, **value} for key, value in sorted({**given, **declared}.items())]


def _probe(path: str, *, period: int) -> dict[str, Any]:
    return {
        "failureThreshold": 3,
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
    }


def _labels(name: str) -> dict[str, str]:
    return {_NAME_LABEL: name}
