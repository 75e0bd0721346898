"""An HTTPS host with its paths, served by the ingress gateway."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from components.manifests import Manifest, named
from components.manifests.mesh import GATEWAY_LABELS, INGRESS_CLASS
from components.values.exposure import PUBLIC
from stacks.model import HTTP_PORT, ApplicationSpec, IngressSpec
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


def redirected(hosts: Collection[str]) -> list[Manifest]:
    """What the gateway does with plain HTTP: clients of these hosts are sent to HTTPS, all others refused.

    Istio answers the routes of every Ingress on port 80 too, so this is there before the port is open.
    """
    port = {"name": "http-redirect", "number": HTTP_PORT, "protocol": "HTTP"}
    server = {"hosts": sorted(hosts), "port": port, "tls": {"httpsRedirect": True}}
    gateway = {"selector": GATEWAY_LABELS, "servers": [server]}
    # A client may name the port; a pattern has one asterisk, at its beginning.
    names = sorted(name for host in hosts for name in (host, f"{host}:{HTTP_PORT}"))
    operation = {"notHosts": names, "ports": [str(HTTP_PORT)]}
    refusal = {
        "action": "DENY",
        "rules": [{"to": [{"operation": operation}]}],
        "selector": {"matchLabels": GATEWAY_LABELS},
    }
    return [
        named("networking.istio.io/v1", "Gateway", "http-redirect", ISTIO_INGRESS, spec=gateway),
        named("security.istio.io/v1", "AuthorizationPolicy", "no-plain-http", ISTIO_INGRESS, spec=refusal),
    ]


def secret_name(name: str) -> str:
    """Name of the secret that holds an ingress' certificate."""
    return f"{name}-tls"
