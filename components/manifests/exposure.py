"""An HTTPS host with its paths, served by the ingress gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.manifests import Manifest, named
from components.manifests.mesh import INGRESS_CLASS
from components.values.exposure import PUBLIC
from stacks.model import ApplicationSpec, IngressSpec
from stacks.system_namespaces import ISTIO_INGRESS


def tls_secret(name: str, *, chain: Any, private_key: Any) -> Manifest:
    """The host's certificate, in the gateway's own namespace: that is where the gateway may read secrets.

    chain: PEM of the certificate and the intermediates above it.
    """
    data = {"tls.crt": chain, "tls.key": private_key}
    return named("v1", "Secret", secret_name(name), ISTIO_INGRESS, type="kubernetes.io/tls", stringData=data)


def ingress(name: str, spec: IngressSpec, applications: Mapping[str, ApplicationSpec]) -> Manifest:
    """The Ingress object: one host, path prefixes, each with the application that answers it."""

    def backend(application: str) -> dict[str, Any]:
        return {"service": {"name": application, "port": {"number": applications[application].port}}}

    paths = [
        {"backend": backend(entry.application), "path": entry.path, "pathType": "Prefix"}
        for entry in spec.paths
    ]
    rules = {
        "ingressClassName": INGRESS_CLASS,
        "rules": [{"host": spec.host, "http": {"paths": paths}}],
        "tls": [{"hosts": [spec.host], "secretName": secret_name(name)}],
    }
    said = {PUBLIC: spec.public} if spec.public else {}
    return named("networking.k8s.io/v1", "Ingress", name, spec.namespace, annotations=said, spec=rules)


def secret_name(name: str) -> str:
    """Name of the secret that holds an ingress' certificate."""
    return f"{name}-tls"
