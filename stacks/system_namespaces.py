"""Namespaces that belong to the platform and to Kubernetes, and not to applications."""

from __future__ import annotations

ISTIO_INGRESS = "istio-ingress"
ISTIO_SYSTEM = "istio-system"
KUBE_SYSTEM = "kube-system"
"""There in every cluster from its first moment to its last: its UID is the cluster's identity."""
METALLB_SYSTEM = "metallb-system"

SYSTEM_NAMESPACES = (
    "default",
    ISTIO_INGRESS,
    ISTIO_SYSTEM,
    "kube-node-lease",
    "kube-public",
    KUBE_SYSTEM,
    METALLB_SYSTEM,
)
