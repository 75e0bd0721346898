"""Ways into clusters from outside: which of them lead to the gateways that routes hang on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from components.manifests.mesh import INGRESS_CLASS
from components.values.exposure import (
    EXTERNAL_ADDRESSES,
    GATEWAY_API,
    LOAD_BALANCER,
    Gateway,
    Name,
    from_outside,
    service_of,
)
from gate.effects.scene import Side, below, name_of
from report.model import Resource
from report.urns import kind


class Doors:
    """What there is on one side: services with an address outside of their cluster, and gateways of the
    Gateway API, which get a service of their own from who runs them unless they name one.
    """

    def __init__(self, side: Side) -> None:
        self._gateways = side.routes.gateways
        self._services: dict[str, dict[Name, Resource]] = {}
        for service in side.of("Service"):
            has_addresses = from_outside(below(service.inputs, "spec")) in (LOAD_BALANCER, EXTERNAL_ADDRESSES)
            if service.region and has_addresses:
                self._services.setdefault(service.region, {})[name_of(service)] = service

    def __iter__(self) -> Iterator[Resource]:
        for services in self._services.values():
            yield from services.values()
        for (_, key), gateway in self._gateways.items():
            if gateway.region and key.group == GATEWAY_API and not _services_of(key, gateway):
                yield gateway

    def of_mesh(self, region: str) -> list[Resource]:
        """That of the mesh's own gateway: name servers lead to it, and the mesh's ingresses hang on it."""
        services = self._services.get(region, {}).values()
        return [service for service in services if service.declared == ("mesh",)] or self._only(region)

    def to(self, route: Resource, gateway: Gateway) -> list[Resource]:
        """Those to a gateway that a route hangs on; where nobody says, the only one that there is."""
        services = self._services.get(route.region, {})
        declared = self._gateways.get((route.provider, gateway))
        if gateway.is_class and gateway.name == INGRESS_CLASS:
            return self.of_mesh(route.region)
        if declared is None or gateway.is_class:
            return self._only(route.region)
        if gateway.group == GATEWAY_API:
            named = _services_of(gateway, declared)
            return [services[name] for name in named if name in services] if named else [declared]
        if selector := below(below(declared.inputs, "spec"), "selector"):
            return [service for service in services.values() if _same_pods(selector, service)]
        return self._only(route.region)

    def _only(self, region: str) -> list[Resource]:
        services = list(self._services.get(region, {}).values())
        return services if len(services) == 1 else []


def part_of(door: Resource) -> str:
    """The id of its part in the picture."""
    return f"gateway:{door.region}/{kind(door)}/{'/'.join(name_of(door))}"


def _services_of(gateway: Gateway, declared: Resource) -> list[Name]:
    """The services that a gateway of the Gateway API is reached through, where it names them."""
    addresses: Any = below(declared.inputs, "spec").get("addresses")
    hosts = [
        str(entry.get("value"))
        for entry in (addresses if isinstance(addresses, list) else ())
        if isinstance(entry, dict) and entry.get("type") == "Hostname"
    ]
    return [name for host in hosts if (name := service_of(host, gateway.namespace))]


def _same_pods(selector: Any, service: Resource) -> bool:
    """Whether a gateway of Istio's is served by the pods of a service: what both ask of pods is the same."""
    asked = below(below(service.inputs, "spec"), "selector")
    common = selector.keys() & asked.keys()
    return bool(common) and all(selector[key] == asked[key] for key in common)
