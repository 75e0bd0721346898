"""Exposure: what can be reached from outside of the clusters, over what, and what answers it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gate.effects.belonging import Belonging
from gate.effects.layers.table import known, listed, rows
from report.model import ChangeSet, Layer, Resource
from report.urns import kind

_OPEN_TYPES = ("LoadBalancer", "NodePort")


def exposure(changes: ChangeSet) -> Layer:
    """One row per URL prefix that an Ingress or a route opens, and per Service that has an outside port."""
    belonging = Belonging.of(changes)
    before = _table(belonging, changes.before)
    after = _table(belonging, changes.after)
    return Layer("exposure", "Reachable from outside", rows(before, after))


def _table(belonging: Belonging, resources: Iterable[Resource]) -> dict[str, str]:
    """Where all regions agree a row says it once for all of them."""
    found: dict[str, dict[str, set[str]]] = {}
    for resource in resources:
        for key, target in _opened(resource):
            regions = found.setdefault(key, {}).setdefault(target, set())
            regions.add(belonging.region(resource) or "all")
    return {
        key: "; ".join(f"{target} in {listed(regions)}" for target, regions in sorted(targets.items()))
        for key, targets in found.items()
    }


def _opened(resource: Resource) -> Iterator[tuple[str, str]]:
    spec = resource.inputs.get("spec")
    if not resource.custom or not isinstance(spec, Mapping):
        return
    metadata = resource.inputs.get("metadata") or {}
    namespace = known(metadata.get("namespace"))
    if kind(resource) == "Ingress":
        yield from _of_ingress(spec, namespace)
    elif kind(resource) in ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"):
        yield from _of_route(kind(resource), spec, namespace)
    elif kind(resource) == "Service" and spec.get("type") in _OPEN_TYPES:
        ports = listed(
            f"{port.get('port')}/{port.get('protocol') or 'TCP'}" for port in spec.get("ports") or ()
        )
        yield f"{spec['type']} {namespace}/{known(metadata.get('name'))}", f"ports {ports}"


def _of_ingress(spec: Mapping[str, Any], namespace: str) -> Iterator[tuple[str, str]]:
    secured = {host for entry in spec.get("tls") or () for host in entry.get("hosts") or ()}
    for rule in spec.get("rules") or ():
        host = rule.get("host") or "*"
        scheme = "https" if host in secured else "http"
        for path in (rule.get("http") or {}).get("paths") or ():
            service = (path.get("backend") or {}).get("service") or {}
            port = (service.get("port") or {}).get("number") or (service.get("port") or {}).get("name")
            target = f"{namespace}/{known(service.get('name'))}:{known(port)}"
            yield f"{scheme}://{host}{path.get('path') or '/'}", target


def _of_route(name: str, spec: Mapping[str, Any], namespace: str) -> Iterator[tuple[str, str]]:
    hosts = spec.get("hostnames") or ["*"]
    for rule in spec.get("rules") or ():
        targets = listed(
            f"{namespace}/{known(entry.get('name'))}:{known(entry.get('port'))}"
            for entry in rule.get("backendRefs") or ()
        )
        for match in rule.get("matches") or [{}]:
            path = (match.get("path") or {}).get("value") or ""
            for host in hosts:
                yield f"{name} {host}{path}", targets or "nothing"
