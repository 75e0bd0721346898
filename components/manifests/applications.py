"""A stateless HTTP service: its account, deployment, service and disruption budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.manifests import Manifest, named, spread
from stacks import digests
from stacks.errors import KeyPath
from stacks.model import ApplicationSpec, Secret

_NAME_LABEL = "app.kubernetes.io/name"
_PRIVILEGED_PORTS = 1024
_DIGEST = "checksum/secrets"
"""The annotation by which pods start anew when what is secret changes."""


def objects(
    name: str,
    spec: ApplicationSpec,
    *,
    region: str,
    secrets: Mapping[str, Any] | None = None,
    digest: Any = None,
    pull_config: Any = None,
) -> list[Manifest]:
    """All objects of an application in one region, in the order in which they depend on each other.

    secrets: its secret texts, by the keys of `secret_texts`. digest: another one whenever one of these is.
    pull_config: what its images are pulled with, in Docker's format.
    """
    budget = [disruption_budget(name, spec)] if spec.replicas > 1 else []
    kept = [_secret(secrets_name(name), name, spec, "Opaque", secrets)] if secrets else []
    if pull_config is not None:
        config = {".dockerconfigjson": pull_config}
        kept.append(_secret(f"{name}-pull", name, spec, "kubernetes.io/dockerconfigjson", config))
    runs = [service(name, spec), deployment(name, spec, region=region, digest=digest)]
    return [service_account(name, spec), *kept, *runs, *budget]


def secret_texts(spec: ApplicationSpec) -> dict[str, tuple[KeyPath, Secret]]:
    """What an application's Secret holds, by its keys, and where each is declared below the application.

    A file's key begins with a digit, which no variable's name does, and stays when others come and go.
    """
    variables: dict[str, tuple[KeyPath, Secret]] = {
        name: (("environment", name), text)
        for name, text in sorted(spec.environment.items())
        if isinstance(text, Secret)
    }
    return variables | {_file_key(path): (("files", path), text) for path, text in sorted(spec.files.items())}


def secrets_name(name: str) -> str:
    """Name of the Secret that holds an application's secret texts."""
    return f"{name}-secrets"


def _secret(
    name: str, application: str, spec: ApplicationSpec, type: str, texts: Mapping[str, Any]
) -> Manifest:
    labels = _labels(application)
    return named("v1", "Secret", name, spec.namespace, labels=labels, type=type, stringData=dict(texts))


def _file_key(path: str) -> str:
    return f"0.{digests.of_bytes(path.encode())[:8]}.{path.rpartition('/')[2]}"


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


def deployment(name: str, spec: ApplicationSpec, *, region: str, digest: Any = None) -> Manifest:
    """The deployment: probed, without privileges, spread over nodes. Its pods start anew with the digest."""
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "containers": [_container(name, spec, region=region)],
        "securityContext": _security(spec),
        "serviceAccountName": name,
        "topologySpreadConstraints": spread(_labels(name)),
    }
    if volumes := _volumes(name, spec):
        pod["volumes"] = volumes
    if spec.image_pull_secret:
        pod["imagePullSecrets"] = [{"name": f"{name}-pull"}]
    metadata: dict[str, Any] = {"labels": {"app": name, **_labels(name)}}
    if digest is not None:
        metadata["annotations"] = {_DIGEST: digest}
    content = {
        "replicas": spec.replicas,
        "selector": {"matchLabels": _labels(name)},
        "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}, "type": "RollingUpdate"},
        "template": {"metadata": metadata, "spec": pod},
    }
    return named("apps/v1", "Deployment", name, spec.namespace, labels=_labels(name), spec=content)


def disruption_budget(name: str, spec: ApplicationSpec) -> Manifest:
    """Take one pod away at a time when nodes are drained."""
    content = {"maxUnavailable": 1, "selector": {"matchLabels": _labels(name)}}
    return named("policy/v1", "PodDisruptionBudget", name, spec.namespace, labels=_labels(name), spec=content)


def _security(spec: ApplicationSpec) -> dict[str, Any]:
    """Who runs it: never root. What it mounts belongs to its group."""
    numbers = {"runAsGroup": spec.run_as_group, "runAsUser": spec.run_as_user}
    if spec.files or spec.writable:
        numbers["fsGroup"] = _group(spec)
    # Who is not root and has no capability may listen from here on.
    lowest = {"name": "net.ipv4.ip_unprivileged_port_start", "value": str(spec.port)}
    return {
        **({"sysctls": [lowest]} if spec.port < _PRIVILEGED_PORTS else {}),
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        **{key: number for key, number in numbers.items() if number is not None},
    }


def _group(spec: ApplicationSpec) -> int | None:
    """Whom its files belong to; None where the declaration does not know its user."""
    return spec.run_as_user if spec.run_as_group is None else spec.run_as_group


def _volumes(name: str, spec: ApplicationSpec) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"emptyDir": {}, "name": f"writable-{index}"} for index, _ in enumerate(spec.writable)
    ]
    if spec.files:
        items = [{"key": key, "path": key} for key in map(_file_key, sorted(spec.files))]
        # Files of a user that is not known here must be readable for whoever it is.
        mode = 0o444 if _group(spec) is None else 0o440
        secret = {"defaultMode": mode, "items": items, "secretName": secrets_name(name)}
        volumes.append({"name": "secrets", "secret": secret})
    return volumes


def _mounts(spec: ApplicationSpec) -> list[dict[str, Any]]:
    """One mount for each file: that of a whole directory would hide what the image has there."""
    files = [
        {"mountPath": path, "name": "secrets", "readOnly": True, "subPath": _file_key(path)}
        for path in sorted(spec.files)
    ]
    writable = [{"mountPath": path, "name": f"writable-{index}"} for index, path in enumerate(spec.writable)]
    return [*writable, *files]


def _container(name: str, spec: ApplicationSpec, *, region: str) -> dict[str, Any]:
    mounts = _mounts(spec)
    return {
        **({"volumeMounts": mounts} if mounts else {}),
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
    declared: dict[str, dict[str, Any]] = {
        key: {"valueFrom": {"secretKeyRef": {"key": key, "name": secrets_name(name)}}}
        if isinstance(text, Secret)
        else {"value": text}
        for key, text in spec.environment.items()
    }
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
