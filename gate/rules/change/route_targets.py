"""Every route leads to a service, and to a port of it, that there will be.

`istioctl analyze` knows of that rule (IST0101), and leaves it out without a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gate.rules.schema.objects import Object, objects
from gate.rules.subject import Check, Subject, failed, part
from report.model import SECRET, UNKNOWN, Finding, Rule

RULE = Rule(
    "change/route-targets",
    "Every route leads to a service that there is",
    "A gateway answers with 503 what it is to send to a service, or to a port, that does not exist. Looked "
    "at are Ingress, VirtualService and the routes of the Gateway API, for the services and service entries "
    "of the same change. For a service that is declared elsewhere, give a waiver.",
)

_ISTIO, _GATEWAY_API = "networking.istio.io", "gateway.networking.k8s.io"
_SERVICE = re.compile(r"(?P<name>[^.]+)\.(?P<namespace>[^.]+)(\.svc(\.cluster\.local)?)?")

Name = tuple[str, str]
"""Namespace and name."""
_PORT = ("port", "name")
"""By which a service's port may be asked for."""


@dataclass(frozen=True)
class _Target:
    """Where a route leads: a host of Istio's, or a service by namespace and name."""

    host: str
    service: Name | None
    port: str
    """Number or name; empty for any."""


class _Services:
    """What there is to lead to. The mesh knows services of all clusters, an Ingress those of its own."""

    def __init__(self, found: Sequence[Object]) -> None:
        self._ports: dict[Name, dict[str, set[str]]] = {}
        self._hosts: set[str] = set()
        for entry in found:
            spec = part(entry.resource, "spec")
            if entry.kind == "Service" and not entry.group:
                # As text: what is of the wrong type is the schemas' to tell.
                ports = {str(port[key]) for port in spec.get("ports") or () for key in _PORT if port.get(key)}
                # Without any, it is another name for a host outside, or it cannot be seen.
                self._ports.setdefault(_name(entry), {})[entry.cluster] = ports or {UNKNOWN}
            elif entry.kind == "ServiceEntry" and entry.group == _ISTIO:
                self._hosts |= set(spec.get("hosts") or ())

    def missing(self, target: _Target, cluster: str | None) -> str:
        """What is not there of a target, in words; empty if all is. `cluster`: the only one that counts."""
        if target.service is None:
            return "" if self._is_entry(target.host) else f"there is no service entry of {target.host}"
        ports = self._ports.get(target.service, {})
        there = [found for name, found in ports.items() if cluster in (None, name)]
        if not there:
            known = self._is_entry(target.host)
            return "" if known else f"there is no service {'/'.join(target.service)}"
        if not target.port or any(target.port in found or UNKNOWN in found for found in there):
            return ""
        has = ", ".join(sorted({port for found in there for port in found}))
        return f"service {'/'.join(target.service)} has no port {target.port} (it has {has})"

    def _is_entry(self, host: str) -> bool:
        return host in self._hosts or any(
            entry.startswith("*.") and host.endswith(entry[1:]) for entry in self._hosts
        )


def _find(subject: Subject) -> Iterator[Finding]:
    found = objects(subject.after)
    services = _Services(found)
    for entry in found:
        in_mesh = entry.group == _ISTIO
        seen = set()
        for target in _targets(entry):
            words = services.missing(target, None if in_mesh else entry.cluster)
            if words and words not in seen:
                seen.add(words)
                yield failed(RULE, words, entry.resource.urn, fix="name a service that is declared")


def _targets(entry: Object) -> Iterator[_Target]:
    namespace = _name(entry)[0]
    spec = part(entry.resource, "spec")
    if (entry.group, entry.kind) == (_ISTIO, "VirtualService"):
        for at in _mappings(spec, ("destination", "mirror")):
            yield from _of_istio(at, namespace)
    elif (entry.group, entry.kind) == ("networking.k8s.io", "Ingress"):
        for at in _mappings(spec, ("service",)):
            port = at.get("port") or {}
            yield from _of_service(at, namespace, str(port.get("number") or port.get("name") or ""))
    elif entry.group == _GATEWAY_API and entry.kind.endswith("Route"):
        for at in _mappings(spec, ("backendRefs", "backendRef")):
            if (at.get("group") or "", at.get("kind") or "Service") == ("", "Service"):
                yield from _of_service(at, at.get("namespace") or namespace, str(at.get("port") or ""))


def _of_istio(at: Mapping[str, Any], namespace: str) -> Iterator[_Target]:
    host = at.get("host")
    if not isinstance(host, str) or host in (UNKNOWN, SECRET):
        return
    port = str((at.get("port") or {}).get("number") or "")
    if "." not in host:
        yield _Target(host, (namespace, host), port)
    elif (named := _SERVICE.fullmatch(host)) and (".svc" in host or host.count(".") == 1):
        yield _Target(host, (named["namespace"], named["name"]), port)
    else:
        yield _Target(host, None, port)


def _of_service(at: Mapping[str, Any], namespace: str, port: str) -> Iterator[_Target]:
    name = at.get("name")
    if isinstance(name, str) and not {name, namespace, port} & {UNKNOWN, SECRET}:
        yield _Target("", (namespace, name), port)


def _mappings(value: Any, keys: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The mappings under certain keys, at any depth; of a list of them, each."""
    if isinstance(value, list):
        for entry in value:
            yield from _mappings(entry, keys)
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            if key in keys:
                yield from (found for found in _each(entry) if isinstance(found, Mapping))
            else:
                yield from _mappings(entry, keys)


def _each(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _name(entry: Object) -> Name:
    metadata = part(entry.resource, "metadata")
    return str(metadata.get("namespace") or "default"), str(metadata.get("name"))


CHECK = Check(RULE, _find)
