"""ConfigMaps by which a cluster tells its members of itself, read and changed from a control-plane host."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run

_KUBECTL = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=10s")


class ObjectsError(Exception):
    """An object is not read or changed; says why."""


def config_map(namespace: str, name: str) -> dict[str, str]:
    """The data of a ConfigMap. Raises ObjectsError."""
    done = run(*_KUBECTL, "--namespace", namespace, "get", "configmap", name, "--output=json")
    if done.returncode:
        raise ObjectsError(f"{namespace}/{name} cannot be read: {done.stderr.strip()}")
    found: dict[str, str] = json.loads(done.stdout)["data"]
    return found


def patch(namespace: str, name: str, data: Mapping[str, str]) -> None:
    """Change these of a ConfigMap's data; the rest stays. Raises ObjectsError."""
    change = json.dumps({"data": data})
    done = run(
        *(*_KUBECTL, "--namespace", namespace, "patch", "configmap", name),
        *("--type=merge", "--patch", change),
    )
    if done.returncode:
        raise ObjectsError(f"{namespace}/{name} is not changed: {done.stderr.strip()}")
