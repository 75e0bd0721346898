"""A node on its way to another version of Kubernetes: who is asked about it, and what stands against it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from ansible_collections.crossmesh.nodes.plugins.module_utils.host import numbers, run, write

REQUESTED_APIS = "RequestedAPIs"
"""The name by which the check of that name is ignored, beside kubeadm's own."""
_SERVER = "kube-apiserver"
_STATIC = ("etcd", _SERVER, "kube-controller-manager", "kube-scheduler")
_IMAGE = re.compile(r"^\s*image:\s*(\S+)\s*$", re.M)
_REQUESTED = re.compile(r"^apiserver_requested_deprecated_apis\{(.*)\} [1-9]", re.M)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_SHOWN = 5
_WHERE = "a guide of this project has the ways back: docs/guides/upgrades.md"


class SilentError(Exception):
    """The API server does not answer; says why."""


class Node:
    """What of the cluster is on this host, and what is asked about it."""

    def __init__(self, name: str, version: str, state: Path, kubernetes: Path) -> None:
        """version: to which it goes. state, kubernetes: directories of Crossmesh's and of kubeadm's files."""
        self.name = name
        self.version = version
        self.kept = state / f"upgrade-{version}"
        """What is kept from before the upgrade."""
        self.record = state / "upgrade.json"
        self.kubernetes = kubernetes
        self.manifests = kubernetes / "manifests"
        self._places = [self.manifests, self.kept / "manifests"]

    @property
    def is_control_plane(self) -> bool:
        """Whether an API server runs here, or did before a run that was broken off."""
        return any((place / f"{_SERVER}.yaml").exists() for place in self._places)

    def ask(self, *what: str) -> str:
        """What this host's API server says, or on a worker its cluster's. Raises SilentError."""
        result = run(*self.kubectl(), *what, env={**os.environ, "HOME": "/root"})
        if result.returncode:
            raise SilentError(" ".join(result.stderr.split()) or f"kubectl ended with {result.returncode}")
        return str(result.stdout)

    def kubectl(self) -> tuple[str, ...]:
        """The beginning of a command. On a control plane no other host's API server answers it."""
        if not self.is_control_plane:
            return ("kubectl", f"--kubeconfig={self.kubernetes}/kubelet.conf", "--request-timeout=10s")
        manifest = next(
            text for place in self._places if (text := text_of(place / f"{_SERVER}.yaml")) is not None
        )
        flags = dict(re.findall(r"--(advertise-address|secure-port)=(\S+)", manifest))
        server = f"https://{flags['advertise-address']}:{flags.get('secure-port', '6443')}"
        return (
            "kubectl",
            f"--kubeconfig={self.kubernetes}/admin.conf",
            f"--server={server}",
            "--request-timeout=10s",
        )

    def served(self) -> str:
        """The version of the API server. Raises SilentError."""
        return str(json.loads(self.ask("get", "--raw", "/version"))["gitVersion"]).removeprefix("v")

    def recorded(self) -> dict[str, Any]:
        """How far an upgrade to this version has come; nothing before it began."""
        found = json.loads(text_of(self.record) or "{}")
        return dict(found) if found.get("to") == self.version else {}

    def note(self, **values: Any) -> None:
        """Write down how far it has come."""
        write(self.record, json.dumps({"to": self.version, **values}), 0o600)


def text_of(file: Path) -> str | None:
    """What a file says; None where there is none."""
    return file.read_text() if file.exists() else None


def requested(node: Node) -> list[str]:
    """Kinds that somebody has asked this API server for since its start, and that the version does not serve
    any more. Raises SilentError."""
    found = set()
    for labels in _REQUESTED.findall(node.ask("get", "--raw", "/metrics")):
        of = dict(_LABEL.findall(labels))
        if of.get("removed_release") and numbers(of["removed_release"])[:2] <= numbers(node.version)[:2]:
            found.add(f"{of['resource']} of {'/'.join(filter(None, (of['group'], of['version'])))}")
    return sorted(found)


def refusal(node: Node, ignored: list[str]) -> str:
    """Why it may not be done; empty when it may. ignored: names of checks. Raises SilentError."""
    served = node.served()
    has, to = numbers(served), numbers(node.version)
    if not node.is_control_plane:
        ahead = f"the API server is {served}, and a kubelet is never newer: upgrade the control plane first"
        behind = f"the API server is {served}, and a worker goes to what that is: declare {served}"
        return ahead if has < to else behind if to < has else ""
    if to < has:
        return (
            f"the API server is {served}, and does not go back to {node.version}: etcd may hold what that "
            f"does not know. Declare {served} and go on; {_WHERE}"
        )
    if to[0] != has[0] or to[1] - has[1] > 1:
        step = f"{has[0]}.{has[1] + 1}"
        return (
            f"from {served} to {node.version} minor versions are left out: declare a release of {step} first"
        )
    if to[:2] == has[:2] or REQUESTED_APIS.lower() in (name.lower() for name in ignored):
        return ""
    return _asked_for(requested(node), node.version)


def _asked_for(asked: list[str], version: str) -> str:
    if not asked:
        return ""
    more = f" and {len(asked) - _SHOWN} more" if len(asked) > _SHOWN else ""
    return (
        f"since its start somebody asked the API server for what {version} does not serve: "
        f"{', '.join(asked[:_SHOWN])}{more}. Have them ask for what takes its place; an audit log says who "
        f"it is. Where it is nobody any more, declare `kubeadmIgnorePreflight: [{REQUESTED_APIS}]` in the "
        "host's profile"
    )


def unproven(node: Node) -> list[str]:
    """What of the control plane on this host is not as it has to be, in words."""
    try:
        served = node.served()
        if numbers(served) != numbers(node.version):
            return [f"the API server is {served}"]
        node.ask("get", "--raw", "/readyz")
        listed = json.loads(node.ask("get", "pods", "--namespace=kube-system", "--output=json"))["items"]
    except SilentError as error:
        return [f"the API server does not answer: {error}"]
    pods = {pod["metadata"]["name"]: pod for pod in listed}
    return [
        words
        for name in _STATIC
        if (manifest := text_of(node.manifests / f"{name}.yaml")) is not None
        and (words := _of_pod(name, pods.get(f"{name}-{node.name}"), manifest))
    ]


def _of_pod(name: str, pod: dict[str, Any] | None, manifest: str) -> str:
    found = _IMAGE.search(manifest)
    wanted = found[1].strip("\"'") if found else ""
    if pod is None:
        return f"the pod of {name} is not there"
    has = pod["spec"]["containers"][0]["image"]
    if has != wanted:
        return f"the pod of {name} has the image {has}, its manifest {wanted}"
    conditions = (pod.get("status") or {}).get("conditions") or ()
    is_ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
    return "" if is_ready else f"the pod of {name} is not ready"
