"""Certificates that a cluster shows: as its API server serves, in its objects, and of who asks it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from cryptography import x509

from access.cluster import Cluster
from access.errors import AccessError
from access.kinds import Kind as ObjectKind
from access.kinds import objects
from components.manifests.mesh import CA_SECRET
from live.certificates import CACERTS
from live.expiry.machines import RUNBOOK
from live.expiry.model import CLUSTER, Entry, of_certificate, of_pem
from stacks.system_namespaces import ISTIO_SYSTEM, KUBE_SYSTEM

_TLS_SECRETS = "/api/v1/secrets?fieldSelector=type%3Dkubernetes.io%2Ftls"
_AUTHORITIES = f"/api/v1/namespaces/{KUBE_SYSTEM}/configmaps/extension-apiserver-authentication"
"""Where an API server tells other servers by which authorities it knows its clients."""
_CA_KEYS = ("client-ca-file", "requestheader-client-ca-file")
_MANAGED = "cert-manager.io/certificate-name"
_INJECTED = ("cert-manager.io/inject-ca-from", "cert-manager.io/inject-ca-from-secret")
_OWNER = "its owner"
_HOOKS = (
    ObjectKind(
        "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations"
    ),
    ObjectKind(
        "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations"
    ),
    ObjectKind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions"),
    ObjectKind("apiregistration.k8s.io/v1", "APIService", "apiservices"),
)

Renewers = Mapping[str, str]
"""Who renews what `up` has issued, by fingerprint."""


def look(cluster: Cluster, issued: Renewers, *, adopted: bool) -> list[Entry]:
    """Everything that a cluster shows, each once. Raises nothing for what it does not answer.

    issued: who renews what is known already. adopted: whether the cluster is somebody else's.
    """
    try:
        served = _served(cluster, adopted)
    except AccessError as error:
        return [*_kubeconfig(cluster, issued, adopted), _unknown(cluster, "", error)]
    entries = [served, *_kubeconfig(cluster, issued, adopted)]
    for what, read in (
        ("its authorities", partial(_authorities, adopted=adopted)),
        (f"the secret {ISTIO_SYSTEM}/{CA_SECRET}", _mesh),
        ("TLS secrets", _secrets),
        ("webhooks", _webhooks),
    ):
        entries += _part(cluster, what, read)
    return [_known(entry, issued) for entry in entries]


def _part(cluster: Cluster, what: str, read: Callable[[Cluster], Iterator[Entry]]) -> list[Entry]:
    try:
        return list(read(cluster))
    except AccessError as error:
        return [_unknown(cluster, what, error)]


def _unknown(cluster: Cluster, what: str, error: AccessError) -> Entry:
    return Entry(cluster.region, CLUSTER, what, problem=error.message, fix=error.fix, seen=False)


def _known(entry: Entry, issued: Renewers) -> Entry:
    """What `up` has issued is renewed by it, wherever it lies; a root in another's place by who made that."""
    renewer = issued.get(entry.fingerprint)
    return replace(entry, renewed_by=renewer) if renewer else entry


def _served(cluster: Cluster, adopted: bool) -> Entry:
    try:
        certificate = x509.load_der_x509_certificate(cluster.served_certificate())
    except ValueError:
        raise AccessError(f"{cluster.server} shows a certificate that cannot be read") from None
    runbook = "" if adopted else f"{RUNBOOK} region={cluster.region}"
    by = _OWNER if adopted else f"`crossmesh runbook run {runbook}`"
    entry = of_certificate(cluster.region, CLUSTER, f"served at {cluster.server}", certificate, by)
    return replace(entry, runbook=runbook)


def _kubeconfig(cluster: Cluster, issued: Renewers, adopted: bool) -> list[Entry]:
    if cluster.client_certificate is None:
        return []
    by = "its owner: give the stack a new kubeconfig" if adopted else "`pulumi up`"
    entries = of_pem(
        cluster.region, CLUSTER, "client certificate of the kubeconfig", cluster.client_certificate, by
    )
    return [_known(entry, issued) for entry in entries]


def _authorities(cluster: Cluster, adopted: bool) -> Iterator[Entry]:
    data = (cluster.get(_AUTHORITIES) or {}).get("data") or {}
    by = _OWNER if adopted else "nobody: a new authority is a rotation of all that rests on it"
    for key in _CA_KEYS:
        if data.get(key):
            place = f"ConfigMap {KUBE_SYSTEM}/extension-apiserver-authentication, {key}"
            yield from of_pem(cluster.region, CLUSTER, place, data[key], by)


def _mesh(cluster: Cluster) -> Iterator[Entry]:
    data = (cluster.get(CACERTS) or {}).get("data") or {}
    for key in ("ca-cert.pem", "root-cert.pem"):
        if key in data:
            place = f"Secret {ISTIO_SYSTEM}/{CA_SECRET}, {key}"
            yield from of_pem(cluster.region, CLUSTER, place, _decoded(data[key]), _OWNER)


def _secrets(cluster: Cluster) -> Iterator[Entry]:
    """Of each, the certificates alone: the key beside them is neither looked at nor kept."""
    for secret in (cluster.get(_TLS_SECRETS) or {}).get("items") or ():
        metadata = secret["metadata"]
        by = "cert-manager" if _MANAGED in (metadata.get("annotations") or {}) else _OWNER
        for key in ("tls.crt", "ca.crt"):
            if text := _decoded((secret.get("data") or {}).get(key)):
                place = f"Secret {metadata['namespace']}/{metadata['name']}, {key}"
                yield from of_pem(cluster.region, CLUSTER, place, text, by)


def _webhooks(cluster: Cluster) -> Iterator[Entry]:
    """By what the API server knows whom it asks. One that is empty is checked by no authority of its own."""
    for kind in _HOOKS:
        for found in objects(cluster, kind):
            metadata = found["metadata"]
            managed = any(name in (metadata.get("annotations") or {}) for name in _INJECTED)
            bundles = dict.fromkeys(filter(None, map(_decoded, _bundles(found))))
            for number, bundle in enumerate(bundles, 1):
                which = f", {number}. caBundle" if len(bundles) > 1 else ", caBundle"
                place = f"{kind.kind} {metadata['name']}{which}"
                by = "cert-manager" if managed else _OWNER
                yield from of_pem(cluster.region, CLUSTER, place, bundle, by)


def _bundles(found: Mapping[str, Any]) -> Iterator[str | None]:
    for hook in found.get("webhooks") or ():
        yield (hook.get("clientConfig") or {}).get("caBundle")
    spec = found.get("spec") or {}
    yield spec.get("caBundle")
    conversion = (spec.get("conversion") or {}).get("webhook") or {}
    yield (conversion.get("clientConfig") or {}).get("caBundle")


def _decoded(text: str | None) -> str:
    """What is no base64 is no certificate either, and said so."""
    try:
        return base64.b64decode(text or "", validate=True).decode(errors="replace")
    except ValueError:
        return "…"
