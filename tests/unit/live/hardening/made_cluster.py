"""A cluster as kubeadm and Crossmesh make it, and changes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from live.hardening.facts import ClusterFacts

COMPONENTS = Path(__file__).resolve().parents[3] / "golden" / "components"
"""What the components make, kept in step with them by their own tests."""
PLAYBOOKS = COMPONENTS.parent / "playbooks"
Object = dict[str, Any]
Change = Callable[[ClusterFacts], ClusterFacts]
BUILT_IN = {"kubernetes.io/bootstrapping": "rbac-defaults"}
APPLICATIONS = "greencompute"
_SIDECAR = {
    "name": "istio-init",
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
        "privileged": False,
        "runAsGroup": 0,
        "runAsNonRoot": False,
        "runAsUser": 0,
    },
}
"""Istio 1.29's init container, without its CNI plugin (chart `istio-discovery`, injection-template.yaml)."""
_TOKEN = {
    "name": "istio-token",
    "projected": {"sources": [{"serviceAccountToken": {"path": "istio-token", "audience": "istio-ca"}}]},
}


def rule(group: str, resources: str, verbs: str, **more: Any) -> Object:
    """One rule of a role; several resources or verbs have commas between them."""
    return {"apiGroups": [group], "resources": resources.split(","), "verbs": verbs.split(","), **more}


def role(name: str, *rules: Object, namespace: str = "", labels: Any = None) -> Object:
    """A role."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": labels or {}}
    return {"metadata": metadata, "rules": list(rules)}


def binding(
    name: str,
    to: str,
    *subjects: str,
    kind: str = "ClusterRole",
    namespace: str = "",
    labels: Any = None,
    of: str = "Group",
) -> Object:
    """A binding of a role to some."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": labels or {}}
    named = [{"kind": of, "name": subject} for subject in subjects]
    return {"metadata": metadata, "roleRef": {"kind": kind, "name": to}, "subjects": named}


def documents(name: str) -> list[Object]:
    """Objects of a golden file."""
    return [one for one in yaml.safe_load_all((COMPONENTS / f"{name}.yaml").read_text()) if one]


def _pods() -> list[Object]:
    """Pods of the reference's applications as the injector makes them."""
    pods = []
    for one in documents("applications"):
        if one["kind"] == "Deployment":
            spec = deepcopy(one["spec"]["template"]["spec"])
            spec["initContainers"] = [_SIDECAR]
            spec["volumes"] = [*spec.get("volumes", ()), _TOKEN]
            metadata = {"name": f"{one['metadata']['name']}-1", "namespace": one["metadata"]["namespace"]}
            pods.append({"metadata": metadata, "spec": spec, "status": {"phase": "Running"}})
    return pods


_ISTIO = "rbac.authorization.k8s.io"
_HOOKS = "admissionregistration.k8s.io"
_READ = "get,list,watch"
_TOKENS = "system:bootstrappers:kubeadm:default-node-token"
_OBJECTS: Mapping[str, list[Object]] = {
    "namespaces": [
        *(one for one in documents("namespaces") if one["kind"] == "Namespace"),
        *({"metadata": {"name": name}} for name in ("default", "kube-system", "metallb-system")),
    ],
    "clusterroles": [
        role("cluster-admin", rule("*", "*", "*"), labels=BUILT_IN),
        role("system:node-bootstrapper", rule("certificates.k8s.io", "x", "create"), labels=BUILT_IN),
        # From 1.36 on, kubeadm gives what API servers show kubelets this right alone.
        role("system:kubelet-api-admin", rule("", "nodes,nodes/proxy", "get,*"), labels=BUILT_IN),
        role(
            "istiod-clusterrole-istio-system",
            rule(_HOOKS, "mutatingwebhookconfigurations", _READ),
            rule("networking.istio.io", "*", _READ),
            rule("", "secrets", _READ),
        ),
        role("istio-reader-clusterrole-istio-system", rule("", "secrets,pods", _READ)),
        role("metallb-system:controller", rule(_HOOKS, "validatingwebhookconfigurations", "list,watch")),
    ],
    "clusterrolebindings": [
        binding("cluster-admin", "cluster-admin", "system:masters", labels=BUILT_IN),
        binding("kubeadm:cluster-admins", "cluster-admin", "kubeadm:cluster-admins"),
        binding(
            "kubeadm:apiserver-kubelet-client", "system:kubelet-api-admin", "kube-apiserver-kubelet-client"
        ),
        binding(
            "kubeadm:kubelet-bootstrap",
            "system:node-bootstrapper",
            "system:bootstrappers:kubeadm:default-node",
        ),
        binding("istiod", "istiod-clusterrole-istio-system", "istiod", of="ServiceAccount"),
        binding("istio-reader", "istio-reader-clusterrole-istio-system", "reader", of="ServiceAccount"),
        binding("metallb-system:controller", "metallb-system:controller", "controller", of="ServiceAccount"),
    ],
    "roles": [role("istiod", rule("", "secrets", _READ), namespace="istio-system")],
    "rolebindings": [
        binding("istiod", "istiod", "istiod", kind="Role", namespace="istio-system", of="ServiceAccount"),
        *(
            binding(name, name, _TOKENS, kind="Role", namespace="kube-system")
            for name in ("kube-proxy", "kubeadm:kubelet-config", "kubeadm:nodes-kubeadm-config")
        ),
    ],
    "serviceaccounts": [
        {"metadata": {"name": "default", "namespace": APPLICATIONS}},
        *(one for one in documents("applications") if one["kind"] == "ServiceAccount"),
    ],
    "pods": _pods(),
    "services": [{"metadata": {"name": "kubernetes", "namespace": "default"}}],
    "networkpolicies": [],
}


def _proxy() -> Object:
    """kube-proxy's configuration of the role `control_plane`."""
    found = yaml.safe_load_all((PLAYBOOKS / "control_plane" / "kubeadm.yaml").read_text())
    return next(one for one in found if one["kind"] == "KubeProxyConfiguration")


MADE = ClusterFacts(
    objects=_OBJECTS,
    groups=frozenset({"apps"}),
    organizations=("system:masters",),
    proxy=_proxy(),
)


def also(plural: str, *objects: Object) -> Change:
    """With some objects more."""
    return lambda facts: replace(facts, objects={**facts.objects, plural: [*facts.of(plural), *objects]})


def only(plural: str, *objects: Object) -> Change:
    """With these objects and no others of their kind."""
    return lambda facts: replace(facts, objects={**facts.objects, plural: list(objects)})


def bound(*rules: Object, namespace: str = "") -> Change:
    """With somebody who has a role with these rules."""

    def change(facts: ClusterFacts) -> ClusterFacts:
        if not namespace:
            roles = also("clusterroles", role("own", *rules))(facts)
            return also("clusterrolebindings", binding("theirs", "own", "people"))(roles)
        roles = also("roles", role("own", *rules, namespace=namespace))(facts)
        to = binding("theirs", "own", "people", kind="Role", namespace=namespace)
        return also("rolebindings", to)(roles)

    return change


def pod(
    name: str = "own", namespace: str = APPLICATIONS, context: Any = None, phase: str = "Running", **spec: Any
) -> Object:
    """A pod of one container with nothing but what is given. context: of its container."""
    container = {"name": "main", **({} if context is None else {"securityContext": context})}
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [container], **spec},
        "status": {"phase": phase},
    }
