"""Namespaces: those of the mesh's own parts and those of applications."""

from __future__ import annotations

from components.manifests import Manifest, named
from stacks.model import NamespaceSpec
from stacks.system_namespaces import ISTIO_INGRESS, ISTIO_SYSTEM

_POD_SECURITY = "pod-security.kubernetes.io"


def istio_system(network: str) -> Manifest:
    """The control plane's namespace. Its label tells istiod which network this cluster's pods are on."""
    labels = {"topology.istio.io/network": network, f"{_POD_SECURITY}/enforce": "baseline"}
    return named("v1", "Namespace", ISTIO_SYSTEM, labels=labels)


def istio_ingress() -> Manifest:
    """The ingress gateway's namespace. The gateway's pod is made by the injector from its own annotation."""
    labels = {"istio-injection": "enabled", f"{_POD_SECURITY}/enforce": "baseline"}
    return named("v1", "Namespace", ISTIO_INGRESS, labels=labels)


def default_account(name: str) -> Manifest:
    """The account that Kubernetes makes in a namespace, of which pods get no token any more."""
    return named("v1", "ServiceAccount", "default", name, automountServiceAccountToken=False)


def application(name: str, spec: NamespaceSpec) -> Manifest:
    """A namespace of applications, with its injection and pod security labels.

    A sidecar's init container sets up the redirection with NET_ADMIN and NET_RAW, which only `privileged`
    admits. So where sidecars are injected and nothing is declared, what the pods do themselves is held
    against `restricted` by warnings and audit.
    """
    watched = spec.pod_security or "restricted"
    labels = {
        "istio-injection": "enabled" if spec.injection else "disabled",
        f"{_POD_SECURITY}/audit": watched,
        f"{_POD_SECURITY}/enforce": "privileged" if spec.injection else watched,
        f"{_POD_SECURITY}/warn": watched,
    }
    return named("v1", "Namespace", name, labels=labels)
