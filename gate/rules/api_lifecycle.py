"""Which of Kubernetes' own API versions are deprecated, and which have ended.

From Kubernetes' Deprecated API Migration Guide (kubernetes.io/docs/reference/using-api/deprecation-guide) and
the lifecycles that its API packages state (k8s.io/api v0.37.1, `zz_generated.prerelease-lifecycle.go`).
Numbers are minor versions of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Lifecycle:
    """When an API version was deprecated, from when it is served no longer, and what takes its place."""

    deprecated: str
    removed: str | None
    instead: str


_ANY = "*"

_TABLE: Mapping[str, tuple[tuple[str, int, int | None, str], ...]] = {
    "v1": (("ComponentStatus", 19, None, ""), ("Endpoints", 33, None, "discovery.k8s.io/v1 EndpointSlice")),
    "admissionregistration.k8s.io/v1alpha1": (
        ("ValidatingAdmissionPolicy", 29, 32, "admissionregistration.k8s.io/v1"),
        ("ValidatingAdmissionPolicyBinding", 29, 32, "admissionregistration.k8s.io/v1"),
        ("MutatingAdmissionPolicy", 35, 38, ""),
        ("MutatingAdmissionPolicyBinding", 35, 38, ""),
    ),
    "admissionregistration.k8s.io/v1beta1": (
        ("MutatingWebhookConfiguration", 16, 22, "admissionregistration.k8s.io/v1"),
        ("ValidatingWebhookConfiguration", 16, 22, "admissionregistration.k8s.io/v1"),
        ("ValidatingAdmissionPolicy", 31, 34, "admissionregistration.k8s.io/v1"),
        ("ValidatingAdmissionPolicyBinding", 31, 34, "admissionregistration.k8s.io/v1"),
        ("MutatingAdmissionPolicy", 37, 40, ""),
        ("MutatingAdmissionPolicyBinding", 37, 40, ""),
    ),
    "apiextensions.k8s.io/v1beta1": ((_ANY, 16, 22, "apiextensions.k8s.io/v1"),),
    "apiregistration.k8s.io/v1beta1": ((_ANY, 19, 22, "apiregistration.k8s.io/v1"),),
    "apps/v1beta1": ((_ANY, 8, 16, "apps/v1"),),
    "apps/v1beta2": ((_ANY, 9, 16, "apps/v1"),),
    "authentication.k8s.io/v1alpha1": ((_ANY, 29, 32, "authentication.k8s.io/v1"),),
    "authentication.k8s.io/v1beta1": (
        ("TokenReview", 19, 22, "authentication.k8s.io/v1"),
        ("SelfSubjectReview", 30, 33, "authentication.k8s.io/v1"),
    ),
    "authorization.k8s.io/v1beta1": ((_ANY, 19, 22, "authorization.k8s.io/v1"),),
    "autoscaling/v2beta1": ((_ANY, 22, 25, "autoscaling/v2"),),
    "autoscaling/v2beta2": ((_ANY, 23, 26, "autoscaling/v2"),),
    "batch/v1beta1": ((_ANY, 21, 25, "batch/v1"),),
    "certificates.k8s.io/v1alpha1": (
        ("ClusterTrustBundle", 34, 37, ""),
        ("PodCertificateRequest", 37, 40, ""),
    ),
    "certificates.k8s.io/v1beta1": (
        ("CertificateSigningRequest", 19, 22, "certificates.k8s.io/v1"),
        ("ClusterTrustBundle", 37, 40, "certificates.k8s.io/v1"),
        ("PodCertificateRequest", 37, 40, "certificates.k8s.io/v1"),
    ),
    "coordination.k8s.io/v1alpha2": ((_ANY, 35, 38, ""),),
    "coordination.k8s.io/v1beta1": (
        ("Lease", 19, 22, "coordination.k8s.io/v1"),
        ("LeaseCandidate", 36, 39, ""),
    ),
    "discovery.k8s.io/v1beta1": ((_ANY, 21, 25, "discovery.k8s.io/v1"),),
    "events.k8s.io/v1beta1": ((_ANY, 22, 25, "events.k8s.io/v1"),),
    "extensions/v1beta1": (
        ("Ingress", 14, 22, "networking.k8s.io/v1"),
        ("NetworkPolicy", 9, 16, "networking.k8s.io/v1"),
        ("PodSecurityPolicy", 11, 16, ""),
        (_ANY, 8, 16, "apps/v1"),
    ),
    "flowcontrol.apiserver.k8s.io/v1beta1": ((_ANY, 23, 26, "flowcontrol.apiserver.k8s.io/v1"),),
    "flowcontrol.apiserver.k8s.io/v1beta2": ((_ANY, 26, 29, "flowcontrol.apiserver.k8s.io/v1"),),
    "flowcontrol.apiserver.k8s.io/v1beta3": ((_ANY, 29, 32, "flowcontrol.apiserver.k8s.io/v1"),),
    "lifecycle.k8s.io/v1alpha1": ((_ANY, 40, 43, ""),),
    "networking.k8s.io/v1beta1": (
        ("Ingress", 19, 22, "networking.k8s.io/v1"),
        ("IngressClass", 19, 22, "networking.k8s.io/v1"),
        ("IPAddress", 34, 37, "networking.k8s.io/v1"),
        ("ServiceCIDR", 34, 37, "networking.k8s.io/v1"),
    ),
    "node.k8s.io/v1beta1": ((_ANY, 22, 25, "node.k8s.io/v1"),),
    "policy/v1beta1": (("PodSecurityPolicy", 21, 25, ""), (_ANY, 21, 25, "policy/v1")),
    "rbac.authorization.k8s.io/v1alpha1": ((_ANY, 17, 22, "rbac.authorization.k8s.io/v1"),),
    "rbac.authorization.k8s.io/v1beta1": ((_ANY, 17, 22, "rbac.authorization.k8s.io/v1"),),
    "resource.k8s.io/v1alpha3": (
        ("DeviceTaintRule", 36, 39, ""),
        ("ResourcePoolStatusRequest", 39, 42, ""),
    ),
    "resource.k8s.io/v1beta1": ((_ANY, 35, 38, "resource.k8s.io/v1"),),
    "resource.k8s.io/v1beta2": (
        ("DeviceTaintRule", 39, 42, ""),
        (_ANY, 36, 39, "resource.k8s.io/v1"),
    ),
    "scheduling.k8s.io/v1beta1": (
        ("PodGroup", 40, 43, ""),
        ("Workload", 40, 43, ""),
        (_ANY, 14, 22, "scheduling.k8s.io/v1"),
    ),
    "storage.k8s.io/v1alpha1": (
        ("CSIStorageCapacity", 21, 24, "storage.k8s.io/v1"),
        ("VolumeAttachment", 21, 24, "storage.k8s.io/v1"),
        ("VolumeAttributesClass", 32, 35, "storage.k8s.io/v1"),
    ),
    "storage.k8s.io/v1beta1": (
        ("CSINode", 17, 22, "storage.k8s.io/v1"),
        ("CSIStorageCapacity", 24, 27, "storage.k8s.io/v1"),
        ("VolumeAttributesClass", 34, 37, "storage.k8s.io/v1"),
        (_ANY, 19, 22, "storage.k8s.io/v1"),
    ),
    "storagemigration.k8s.io/v1alpha1": ((_ANY, 33, 36, ""),),
    "storagemigration.k8s.io/v1beta1": ((_ANY, 37, 40, "storagemigration.k8s.io/v1"),),
}
"""Kinds of each API version: deprecated in, served no longer from, and what to write instead."""


def lifecycle(api_version: str, kind: str) -> Lifecycle | None:
    """What is known of the end of a kind's API version; None for one that goes on."""
    for name, deprecated, removed, instead in _TABLE.get(api_version, ()):
        if name in (kind, _ANY):
            if instead and " " not in instead:
                instead = f"{instead} {kind}"
            return Lifecycle(f"1.{deprecated}", None if removed is None else f"1.{removed}", instead)
    return None
