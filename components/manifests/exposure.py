"""HTTPS hosts, served by the ingress gateway: by an Ingress, or by objects of the Gateway API."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from components.manifests import Manifest, named
from components.manifests.mesh import GATEWAY, GATEWAY_CLASS, GATEWAY_LABELS, INGRESS_CLASS
from components.values.exposure import ELSEWHERE, GATEWAY_API, PUBLIC
from stacks.model import (
    HTTP_PORT,
    HTTPS_PORT,
    ApplicationSpec,
    Exposed,
    HeaderChanges,
    IngressSpec,
    RouteBackend,
    RouteRedirect,
    RouteRewrite,
    RouteRule,
    RouteSpec,
)
from stacks.system_namespaces import ISTIO_INGRESS


def tls_secret(name: str, *, chain: Any, private_key: Any) -> Manifest:
    """A host's certificate, in the gateway's own namespace: that is where the gateway may read secrets.

    name: of the secret. chain: PEM of the certificate and the intermediates above it.
    """
    data = {"tls.crt": chain, "tls.key": private_key}
    return named("v1", "Secret", name, ISTIO_INGRESS, type="kubernetes.io/tls", stringData=data)


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
        "tls": [{"hosts": [spec.host], "secretName": _ingress_secret(name)}],
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


def secret_name(exposed: Exposed) -> str:
    """Name of the secret that holds a host's certificate: of an ingress by its name, of a route by the host.

    That of a route is its listener's name, too. No name has an asterisk, so a wildcard begins otherwise.
    """
    kind, name = exposed.owner
    if kind == "ingresses":
        return _ingress_secret(name)
    return f"tls-below.{exposed.host[2:]}" if exposed.host.startswith("*.") else f"tls.{exposed.host}"


def _ingress_secret(name: str) -> str:
    return f"{name}-tls"


def gateway(name: str, spec: RouteSpec, hosts: Sequence[Exposed]) -> Manifest:
    """What the ingress gateway listens to for a route: each host by HTTPS, with a certificate of its own.

    It stands beside the gateway's pods, in whose namespace certificates are, and names their Service as its
    address: so istiod makes no pods for it, and clients find it where they find the ingresses.
    """
    listeners = [
        {
            "name": secret_name(exposed),
            "hostname": exposed.host,
            "port": HTTPS_PORT,
            "protocol": "HTTPS",
            "tls": {
                "mode": "Terminate",
                "certificateRefs": [{"group": "", "kind": "Secret", "name": secret_name(exposed)}],
            },
            "allowedRoutes": {
                "kinds": [{"group": GATEWAY_API, "kind": "HTTPRoute"}],
                "namespaces": {
                    "from": "Selector",
                    "selector": {"matchLabels": {"kubernetes.io/metadata.name": spec.namespace}},
                },
            },
        }
        for exposed in hosts
    ]
    address = {"type": "Hostname", "value": f"{GATEWAY}.{ISTIO_INGRESS}.svc.cluster.local"}
    content = {"gatewayClassName": GATEWAY_CLASS, "addresses": [address], "listeners": listeners}
    return named(f"{GATEWAY_API}/v1", "Gateway", name, ISTIO_INGRESS, spec=content)


def http_route(name: str, spec: RouteSpec, applications: Mapping[str, ApplicationSpec]) -> Manifest:
    """The HTTPRoute object: which requests of its hosts lead where."""
    said = {
        **({PUBLIC: spec.public} if spec.public else {}),
        **({ELSEWHERE: ",".join(spec.services)} if spec.services else {}),
    }
    parent = {"group": GATEWAY_API, "kind": "Gateway", "name": name, "namespace": ISTIO_INGRESS}
    content = {
        "hostnames": list(spec.hosts),
        "parentRefs": [parent],
        "rules": [_rule(rule, applications) for rule in spec.rules],
    }
    return named(f"{GATEWAY_API}/v1", "HTTPRoute", name, spec.namespace, annotations=said, spec=content)


def _rule(rule: RouteRule, applications: Mapping[str, ApplicationSpec]) -> dict[str, Any]:
    path = {"type": "Exact" if rule.path_type == "Exact" else "PathPrefix", "value": rule.path}
    headers = [
        {"type": "Exact", "name": header, "value": value} for header, value in sorted(rule.headers.items())
    ]
    match = {"path": path, **({"headers": headers} if headers else {})}
    matches = [{**match, "method": method} for method in rule.methods] or [match]
    backends = [_backend(backend, applications) for backend in rule.backends]
    filters = list(_filters(rule))
    return {
        "matches": matches,
        **({"filters": filters} if filters else {}),
        **({"backendRefs": backends} if backends else {}),
        **({"timeouts": {"request": rule.timeout}} if rule.timeout else {}),
    }


def _backend(backend: RouteBackend, applications: Mapping[str, ApplicationSpec]) -> dict[str, Any]:
    name = backend.application or backend.service
    port = applications[backend.application].port if backend.application else backend.port
    return {"group": "", "kind": "Service", "name": name, "port": port, "weight": backend.weight}


def _filters(rule: RouteRule) -> Iterator[dict[str, Any]]:
    if rule.request_headers:
        changes = _header_changes(rule.request_headers)
        yield {"type": "RequestHeaderModifier", "requestHeaderModifier": changes}
    if rule.response_headers:
        changes = _header_changes(rule.response_headers)
        yield {"type": "ResponseHeaderModifier", "responseHeaderModifier": changes}
    if rule.rewrite:
        yield {"type": "URLRewrite", "urlRewrite": _replaced(rule.rewrite)}
    if rule.redirect:
        replaced = {**_replaced(rule.redirect), "statusCode": rule.redirect.status}
        yield {"type": "RequestRedirect", "requestRedirect": replaced}


def _header_changes(changes: HeaderChanges) -> dict[str, Any]:
    lists = {"set": changes.set, "add": changes.add}
    written: dict[str, Any] = {
        key: [{"name": name, "value": value} for name, value in sorted(headers.items())]
        for key, headers in lists.items()
        if headers
    }
    return {**written, **({"remove": list(changes.remove)} if changes.remove else {})}


def _replaced(change: RouteRedirect | RouteRewrite) -> dict[str, Any]:
    path: dict[str, Any] = {}
    if change.path:
        path = {"type": "ReplaceFullPath", "replaceFullPath": change.path}
    elif change.prefix:
        path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": change.prefix}
    return {**({"hostname": change.host} if change.host else {}), **({"path": path} if path else {})}
