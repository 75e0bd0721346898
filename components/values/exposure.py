"""What is exposed: which host and path lead through which gateway to which service.

Read from Kubernetes objects as mappings: Ingress, the routes of the Gateway API and Istio's VirtualService.
Whoever asks what is reached from outside, or where a route leads, asks here. Values that are only strings are
handed on as they are; what should hold others and does not raises `UnreadableError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
Name = tuple[str, str]
"""Namespace and name."""

INGRESS, GATEWAY_API, ISTIO = "networking.k8s.io", "gateway.networking.k8s.io", "networking.istio.io"
_PROTOCOLS: Mapping[str, frozenset[str]] = {
    "GRPCRoute": frozenset({"HTTP", "HTTPS"}),
    "HTTPRoute": frozenset({"HTTP", "HTTPS"}),
    "TCPRoute": frozenset({"TCP"}),
    "TLSRoute": frozenset({"TLS"}),
    "UDPRoute": frozenset({"UDP"}),
}
"""Protocols of the listeners that take each kind of route."""
ROUTES = frozenset(
    {(INGRESS, "Ingress"), (ISTIO, "VirtualService"), *((GATEWAY_API, kind) for kind in _PROTOCOLS)}
)
"""Group and kind of what leads requests to services."""
GATEWAYS = frozenset({(INGRESS, "IngressClass"), (ISTIO, "Gateway"), (GATEWAY_API, "Gateway")})
"""Group and kind of what routes hang on."""
PUBLIC = "crossmesh/public"
"""Annotation of an object that exposes something to everybody: why it may."""
ELSEWHERE = "crossmesh/elsewhere"
"""Annotation of a route: the services that it leads to and others manage, by name, with commas."""
ALONE = "crossmesh/alone"
"""Annotation of a workload of one pod: why a second one would help nothing."""

LOAD_BALANCER, NODE_PORT, EXTERNAL_ADDRESSES = "LoadBalancer", "NodePort", "externalIPs"
"""How services are reached from outside of their cluster: two of their types, and a field."""
_MESH = "mesh"
_INGRESS_CLASS = "kubernetes.io/ingress.class"
_SERVICE = re.compile(r"(?P<name>[^.]+)\.(?P<namespace>[^.]+)(\.svc(\.cluster\.local)?)?")


class UnreadableError(ValueError):
    """Something of an object is not of the form that its kind has: it is hidden, not known yet, or wrong."""


def from_outside(spec: Object) -> str:
    """How a service is reached from outside of its cluster, by its `spec`; empty where it is not."""
    if (type := spec.get("type")) in (LOAD_BALANCER, NODE_PORT):
        return str(type)
    return EXTERNAL_ADDRESSES if spec.get(EXTERNAL_ADDRESSES) else ""


def external_addresses(spec: Object) -> list[Any]:
    """The addresses of others that a service takes requests to; what is not known yet is one."""
    found = spec.get(EXTERNAL_ADDRESSES) or []
    return found if isinstance(found, list) else [found]


@dataclass(frozen=True)
class Gateway:
    """What a route hangs on: a gateway, or an ingress class (without namespace; empty for the default)."""

    group: str
    namespace: str
    name: str

    @property
    def is_class(self) -> bool:
        """Whether it is an ingress class."""
        return self.group == INGRESS


@dataclass(frozen=True)
class Parent:
    """A gateway as a route names it: all of it, or one listener by name or port."""

    gateway: Gateway
    section: str = ""
    port: str = ""


@dataclass(frozen=True)
class Listener:
    """What a gateway listens to: hosts of a form, for routes of some kinds and namespaces."""

    host: str = "*"
    section: str = ""
    port: str = ""
    protocol: str = ""
    """Empty for any."""
    namespace: str = ""
    """The only one whose routes are taken; empty for any that its selector may mean."""


@dataclass(frozen=True)
class Backend:
    """Where requests go."""

    service: Name | None
    """None for a host of Istio's that is no service's name."""
    port: str = ""
    """Number or name; empty for any."""
    host: str = ""
    """As Istio's objects write it; empty for the others."""


@dataclass(frozen=True)
class Exposure:
    """Requests for one host and path, and where they go."""

    kind: str
    """Of the route."""
    namespace: str
    """Of the route."""
    host: str
    """`*` for any."""
    path: str
    """Empty for any."""
    parents: tuple[Parent, ...]
    """Empty for requests from inside of the mesh alone."""
    backends: tuple[Backend, ...]
    mirrors: tuple[Backend, ...] = ()
    """Who gets a copy."""
    secured: bool = False
    """Whether the route itself brings a certificate, as an Ingress does."""
    asked: str = ""
    """What requests are asked for beside host and path, in words: method and headers."""
    redirect: str = ""
    """Where clients are sent in place of a backend, in words."""

    @property
    def outside(self) -> bool:
        """Whether it is reached from outside of the mesh."""
        return bool(self.parents)


def exposures(group: str, kind: str, content: Object) -> Iterator[Exposure]:
    """Everything that one object exposes; nothing for objects of other kinds than `ROUTES`."""
    namespace, spec = name_of(content)[0], _at(content, "spec")
    if (group, kind) == (INGRESS, "Ingress"):
        yield from _of_ingress(content, spec, namespace)
    elif (group, kind) == (ISTIO, "VirtualService"):
        yield from _of_virtual_service(spec, namespace)
    elif (group, kind) in ROUTES:
        yield from _of_route(kind, spec, namespace)


def listeners(group: str, kind: str, content: Object) -> tuple[Gateway, tuple[Listener, ...]]:
    """What an object of `GATEWAYS` listens to."""
    (namespace, name), spec = name_of(content), _at(content, "spec")
    if group == INGRESS:
        return Gateway(group, "", name), (Listener(),)
    gateway = Gateway(group, namespace, name)
    if group == ISTIO:
        return gateway, tuple(
            _server(host, namespace) for server in _maps(spec, "servers") for host in _list(server, "hosts")
        )
    return gateway, tuple(_listener(entry, namespace) for entry in _maps(spec, "listeners"))


def answered(
    exposure: Exposure, gateways: Mapping[Gateway, Sequence[Listener]]
) -> Iterator[tuple[Gateway, str]]:
    """The hosts for which an exposure is reached, and through which gateway.

    gateways: what is known of them. One that is not among them is declared elsewhere, and takes everything.
    Routes without hosts are told by the gateway's name and port.
    """
    for parent in exposure.parents:
        for listener in gateways.get(parent.gateway, (Listener(),)):
            if (host := _met(exposure, parent, listener)) is None:
                continue
            if exposure.kind in ("TCPRoute", "UDPRoute"):
                place = parent.port or parent.section or listener.port
                host = f"{exposure.kind[:3]} {parent.gateway.namespace}/{parent.gateway.name}:{place or '*'}"
            yield parent.gateway, host


def covers(pattern: str, host: str) -> bool:
    """Whether a host, or a form of hosts, is one of a form: `*`, `*.example.com` or the host itself."""
    return pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def service_of(host: str, namespace: str) -> Name | None:
    """The service that a host of Istio's means for an object of that namespace; None for other hosts."""
    if "." not in host:
        return namespace, host
    named = _SERVICE.fullmatch(host)
    return (named["namespace"], named["name"]) if named and (".svc" in host or host.count(".") == 1) else None


def name_of(content: Object) -> Name:
    """Namespace (`default` where none is named) and name of an object."""
    metadata = _at(content, "metadata")
    return str(metadata.get("namespace") or "default"), str(metadata.get("name") or "")


def _met(exposure: Exposure, parent: Parent, listener: Listener) -> str | None:
    """The hosts that a route and a listener of its gateway have in common; None for none."""
    protocols = _PROTOCOLS.get(exposure.kind, frozenset())
    if (
        (parent.section and listener.section and parent.section != listener.section)
        or (parent.port and listener.port and parent.port != listener.port)
        or (protocols and listener.protocol and listener.protocol not in protocols)
        or listener.namespace not in ("", exposure.namespace)
    ):
        return None
    if covers(listener.host, exposure.host):
        return exposure.host
    return listener.host if covers(exposure.host, listener.host) else None


def _of_ingress(content: Object, spec: Object, namespace: str) -> Iterator[Exposure]:
    annotations = _at(_at(content, "metadata"), "annotations")
    name = str(spec.get("ingressClassName") or annotations.get(_INGRESS_CLASS) or "")
    parents = (Parent(Gateway(INGRESS, "", name)),)
    secured = {str(host) for entry in _maps(spec, "tls") for host in _list(entry, "hosts")}
    default = _of_ingress_backend(_at(spec, "defaultBackend"), namespace)
    if default:
        yield Exposure("Ingress", namespace, "*", "", parents, default)
    for rule in _maps(spec, "rules"):
        host = str(rule.get("host") or "*")
        for path in _maps(_at(rule, "http"), "paths") or ({},):
            backends = _of_ingress_backend(_at(path, "backend"), namespace) or default
            written = str(path.get("path") or "")
            yield Exposure("Ingress", namespace, host, written, parents, backends, secured=host in secured)


def _of_ingress_backend(backend: Object, namespace: str) -> tuple[Backend, ...]:
    service = _at(backend, "service")
    if not service.get("name"):
        return ()
    port = _at(service, "port")
    return (Backend((namespace, str(service["name"])), _text(port.get("number") or port.get("name"))),)


def _of_route(kind: str, spec: Object, namespace: str) -> Iterator[Exposure]:
    parents = tuple(
        Parent(
            Gateway(GATEWAY_API, str(parent.get("namespace") or namespace), str(parent.get("name"))),
            _text(parent.get("sectionName")),
            _text(parent.get("port")),
        )
        for parent in _maps(spec, "parentRefs")
        # On a Service it is for requests inside of the mesh.
        if (parent.get("kind") or "Gateway") == "Gateway"
    )
    for rule in _maps(spec, "rules"):
        references = _maps(rule, "backendRefs")
        backends = tuple(_references(references, namespace))
        filters = [*_maps(rule, "filters"), *(entry for ref in references for entry in _maps(ref, "filters"))]
        copies = [mirror for entry in filters if (mirror := _at(_at(entry, "requestMirror"), "backendRef"))]
        mirrors = tuple(_references(copies, namespace))
        redirect = _redirect(_maps(rule, "filters"))
        matches = [(_path(match), _asked(match)) for match in _maps(rule, "matches") or ({},)]
        for path, asked in dict.fromkeys(matches):
            for host in _list(spec, "hostnames") or ("*",):
                yield Exposure(
                    kind,
                    namespace,
                    str(host),
                    path,
                    parents,
                    backends,
                    mirrors,
                    asked=asked,
                    redirect=redirect,
                )


def _asked(match: Object) -> str:
    """What a match asks of a request beside its path, in words; empty for nothing."""
    kinds = [f"{type} path" for type in (_text(_at(match, "path").get("type")),) if type == "Exact"]
    method = match.get("method")
    fields = [
        f"{name}: {entry.get('value')}" if key == "headers" else f"?{name}={entry.get('value')}"
        for key in ("headers", "queryParams")
        for entry in _maps(match, key)
        for name in (entry.get("name"),)
    ]
    return ", ".join([*([method] if isinstance(method, str) else []), *kinds, *fields])


def _redirect(filters: Sequence[Object]) -> str:
    """Where filters send clients, in words; empty where they send them nowhere."""
    for entry in filters:
        if entry.get("type") == "RequestRedirect":
            to = _at(entry, "requestRedirect")
            path = _at(to, "path")
            new = path.get("replaceFullPath") or path.get("replacePrefixMatch") or ""
            where = f"{to.get('hostname') or ''}{new}"
            return f"a redirect ({to.get('statusCode') or 302}) to {where or 'the same'}"
    return ""


def _path(match: Object) -> str:
    """What a match of HTTP's or gRPC's asks of the path; empty for nothing."""
    if match.get("method") and isinstance(match["method"], Mapping):
        return "/".join(["", *(str(match["method"].get(key) or "*") for key in ("service", "method"))])
    return _text(_at(match, "path").get("value"))


def _references(references: Iterable[Object], namespace: str) -> Iterator[Backend]:
    for entry in references:
        is_service = (entry.get("group") or "", entry.get("kind") or "Service") == ("", "Service")
        if is_service and entry.get("name"):
            service = (str(entry.get("namespace") or namespace), str(entry["name"]))
            yield Backend(service, _text(entry.get("port")))


def _of_virtual_service(spec: Object, namespace: str) -> Iterator[Exposure]:
    hosts = _list(spec, "hosts") or ("",)
    for protocol in ("http", "tls", "tcp"):
        for rule in _maps(spec, protocol):
            backends = _destinations([_at(route, "destination") for route in _maps(rule, "route")], namespace)
            copies = [_at(rule, "mirror"), *(_at(entry, "destination") for entry in _maps(rule, "mirrors"))]
            mirrors = _destinations(copies, namespace)
            for match in _maps(rule, "match") or ({},):
                names = _list(match, "gateways") or _list(spec, "gateways")
                parents = tuple(_istio_gateway(str(name), namespace) for name in names if name != _MESH)
                path = next((str(value) for value in _at(match, "uri").values()), "")
                for host in _list(match, "sniHosts") or hosts:
                    yield Exposure("VirtualService", namespace, str(host), path, parents, backends, mirrors)


def _istio_gateway(name: str, namespace: str) -> Parent:
    holder, _, own = name.rpartition("/")
    return Parent(Gateway(ISTIO, namespace if holder in ("", ".") else holder, own))


def _destinations(destinations: Iterable[Object], namespace: str) -> tuple[Backend, ...]:
    return tuple(
        Backend(service_of(host, namespace), _text(_at(entry, "port").get("number")), host)
        for entry in destinations
        if (host := _text(entry.get("host")))
    )


def _listener(entry: Object, namespace: str) -> Listener:
    allowed = _at(_at(entry, "allowedRoutes"), "namespaces").get("from") or "Same"
    return Listener(
        str(entry.get("hostname") or "*"),
        _text(entry.get("name")),
        _text(entry.get("port")),
        _text(entry.get("protocol")),
        namespace if allowed == "Same" else "",
    )


def _server(host: Any, namespace: str) -> Listener:
    holder, _, pattern = str(host).rpartition("/")
    return Listener(pattern, namespace={"": "", "*": "", ".": namespace}.get(holder, holder))


def _at(value: Object, key: str) -> Object:
    entry = value.get(key) or {}
    if not isinstance(entry, Mapping):
        raise UnreadableError(f"{key} is no mapping")
    return entry


def _list(value: Object, key: str) -> Sequence[Any]:
    entries = value.get(key) or ()
    if isinstance(entries, str) or not isinstance(entries, Sequence):
        raise UnreadableError(f"{key} is no list")
    return entries


def _maps(value: Object, key: str) -> Sequence[Object]:
    entries = _list(value, key)
    if not all(isinstance(entry, Mapping) for entry in entries):
        raise UnreadableError(f"{key} is no list of mappings")
    return entries


def _text(value: Any) -> str:
    return "" if value is None else str(value)
